# SPDX-License-Identifier: Apache-2.0
import cmath
import math
import statistics
from decimal import Decimal, DivisionByZero, getcontext, localcontext
from fractions import Fraction

getcontext().prec = 60
x = Decimal(2)
for _ in range(10):
    x = (x + 2 / x) / 2
print(x, Decimal(2).sqrt() == x)
print(Decimal(1) / Decimal(7), Decimal("1e-20").ln(), Decimal(1).exp())
with localcontext() as ctx:
    ctx.prec = 5
    print(Decimal(22) / 7)
try:
    Decimal(1) / 0
except DivisionByZero:
    print("division by zero")
print(sum(Fraction(1, n) for n in range(1, 40)))
print(Fraction(math.pi).limit_denominator(1000), math.comb(200, 100), math.isqrt(10**40))
print(statistics.median([3, 1, 2]), statistics.pstdev(range(10)), cmath.sqrt(-4))
print(2**1000 % (10**9 + 7), pow(3, -1, 11), hex(255), f"{1e100:.3e}", (0.1 + 0.2).hex())
