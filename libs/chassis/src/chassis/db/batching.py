"""Those who want the same thing at the same time get it together, instead of one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import Generic, TypeVar

W = TypeVar("W")
A = TypeVar("A")

LARGEST_BATCH = 16
"""How many are asked for at once: a crowd must not keep others from the thing for long."""


class _Wish(Generic[W, A]):
    def __init__(self, wish: W) -> None:
        self.wish = wish
        self.answered = False
        self.answer: A | Exception
        self.turn = Lock()
        self.turn.acquire()  # whoever answers, or says that it is this one's turn to ask, lets go of it


class Batcher(Generic[W, A]):
    """The first to want something asks at once; who comes meanwhile waits, and then one asks for all who wait.

    `ask` takes wishes and returns an answer for each, in their order; an answer may be the exception to raise. What it
    raises itself is the answer to all, those included who still wait.
    """

    def __init__(self, ask: Callable[[Sequence[W]], Sequence[A | Exception]]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._waiting: dict[Hashable, deque[_Wish[W, A]]] = {}

    def get(self, thing: Hashable, wish: W) -> A:
        mine: _Wish[W, A] = _Wish(wish)
        with self._lock:
            waiting = self._waiting.get(thing)
            if waiting is None:
                self._waiting[thing] = deque()
            else:
                waiting.append(mine)
        if waiting is not None:
            mine.turn.acquire()
        if not mine.answered:
            self._lead(thing, mine)
        if isinstance(mine.answer, Exception):
            raise mine.answer
        return mine.answer

    def _lead(self, thing: Hashable, mine: _Wish[W, A]) -> None:
        together = [mine, *self._take(thing, LARGEST_BATCH - 1)]
        try:
            answers: Sequence[A | Exception] = self._ask([one.wish for one in together])
        except Exception as failure:
            together += self._take(thing)  # who has waited for so long need not find out in turn
            answers = [failure] * len(together)
        for one, answer in zip(together, answers, strict=True):
            one.answer, one.answered = answer, True
            one.turn.release()
        self._pass_on(thing)

    def _take(self, thing: Hashable, most: int | None = None) -> list[_Wish[W, A]]:
        with self._lock:
            waiting = self._waiting[thing]
            return [waiting.popleft() for _ in range(len(waiting) if most is None else min(len(waiting), most))]

    def _pass_on(self, thing: Hashable) -> None:
        """Let the next who waits ask; forget the thing when nobody does."""
        with self._lock:
            waiting = self._waiting[thing]
            if waiting:
                waiting.popleft().turn.release()
            else:
                del self._waiting[thing]
