# SPDX-License-Identifier: Apache-2.0
import abc
import contextlib
import dataclasses
import enum
import functools
import itertools
import typing
import weakref


@dataclasses.dataclass(order=True, frozen=True, slots=True)
class V:
    x: int
    y: int = 0
    tags: typing.Tuple[str, ...] = dataclasses.field(default=(), compare=False)


class Color(enum.Flag):
    RED = enum.auto()
    BLUE = enum.auto()


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...


class Sq(Shape):
    def __init__(self, n):
        self.n = n

    @functools.cached_property
    def area(self):
        return self.n**2


print(sorted([V(2), V(1, 5), V(1, 2)]), dataclasses.asdict(V(1, 2, ("a",))), dataclasses.replace(V(1), y=9))
print(Color.RED | Color.BLUE, list(Color), Sq(4).area)
try:
    Shape()
except TypeError as e:
    print(e)
match {"op": "add", "args": [1, 2, 3]}:
    case {"op": "add", "args": [first, *rest]}:
        print(first, rest)


@functools.lru_cache(None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


print(fib(90), fib.cache_info().hits > 0, list(itertools.islice(itertools.permutations("abc"), 4)))
with contextlib.ExitStack() as stack:
    for i in range(3):
        stack.callback(print, "exit", i)
ref = weakref.ref(s := Sq(1))
del s
print(ref())
try:
    raise ExceptionGroup("g", [ValueError(1), TypeError(2)])
except* ValueError as g:
    print("values", g.exceptions)
except* TypeError as g:
    print("types", g.exceptions)
