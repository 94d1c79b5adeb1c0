# SPDX-License-Identifier: Apache-2.0
import os
import random
import uuid

r = random.Random(2024)
print([r.randint(1, 100) for _ in range(8)], r.sample(range(50), 4), round(r.gauss(0, 1), 9))
deck = list(range(10))
r.shuffle(deck)
print(deck, r.choices("abc", [1, 2, 3], k=6))
print(uuid.uuid5(uuid.NAMESPACE_DNS, "example.org"), uuid.uuid3(uuid.NAMESPACE_URL, "x"))
print(uuid.uuid4().version, uuid.uuid1().version, uuid.uuid4() != uuid.uuid4())
print(len(os.urandom(64)), len(os.getrandom(16)), random.SystemRandom().random() < 1)
state = r.getstate()
a = r.random()
r.setstate(state)
print(a == r.random(), r.getrandbits(70))
