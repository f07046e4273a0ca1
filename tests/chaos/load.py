"""Buyers that retry with the same idempotency key until the final answer, and record all answers."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple, Self

from chaos.wire import Line, Response, Unanswered

FINAL = frozenset({200, 201, 404, 409})
CANCEL_EVERY, REPLAY_EVERY = 5, 3
PAUSE_SECONDS = 0.1
THINK_SECONDS = 0.05  # leaves processor time to the servers


class Heard(NamedTuple):
    """A recorded answer, final or not."""

    at: float
    seconds: float
    status: int
    retry_after: str | None


class Load:
    """Buyers who order, repeat orders and cancel in parallel while faults happen: `with Load(...) as load:`.

    `acknowledged` maps idempotency keys to order ids and `cancelled` holds order ids. `surprises` lists answers that
    are never allowed: a 500, a 401, or another answer to the same key.
    """

    def __init__(
        self, ports: Sequence[int], customers: Sequence[dict[str, str]], number: int, products: Sequence[str]
    ) -> None:
        self.run = secrets.token_hex(4)
        self.acknowledged: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.refused: set[str] = set()
        self.surprises: list[str] = []
        self.heard: list[Heard] = []
        self.unanswered = 0
        self._products = products
        self._open = threading.Event()
        self._given_up = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._shop, args=(Line(ports), customers[number % len(customers)], number), daemon=True
            )
            for number in range(number)
        ]

    def __enter__(self) -> Self:
        self._open.set()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def close(self) -> None:
        """Begin no new request; pending ones continue to their final answer."""
        self._open.clear()

    def have_final_answers(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def finish(self, patience: float = 60) -> None:
        """Close, and wait for all final answers."""
        self.close()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if not self.have_final_answers():
            self._given_up.set()
            raise AssertionError(f"some buyers have no final answer after {patience} seconds")

    @property
    def sent(self) -> int:
        return len(self.heard) + self.unanswered

    def orders_after(self, moment: float) -> float | None:
        """Return when the first order after `moment` was acknowledged."""
        times = [heard.at for heard in self.heard if heard.status == 201 and heard.at - heard.seconds > moment]
        return min(times, default=None)

    def _shop(self, line: Line, customer: dict[str, str], number: int) -> None:
        random_ = random.Random(number)
        turns = count()
        try:
            while self._open.is_set():
                self._visit(line, customer, f"{self.run}-{number}-{next(turns)}", random_)
                time.sleep(THINK_SECONDS)
        except Exception as failure:
            self.surprises.append(repr(failure))
        finally:
            line.close()

    def _visit(self, line: Line, customer: dict[str, str], key: str, random_: random.Random) -> None:
        wanted = random_.sample(list(self._products), k=min(2, len(self._products)))
        body = {"items": [{"product_id": product, "qty": random_.randint(1, 2)} for product in wanted]}
        answer = self.buy(line, customer, key, body)
        if answer.status != 201:
            return
        if random_.randrange(REPLAY_EVERY) == 0:
            self._expect(self.buy(line, customer, key, body).body == answer.body, f"{key} was answered differently")
        if random_.randrange(CANCEL_EVERY) == 0:
            self.cancel(line, customer, answer.json["order_id"])

    def buy(self, line: Line, customer: dict[str, str], key: str, body: dict[str, Any]) -> Response:
        answer = self._until_final(line, "/orders", customer | {"Idempotency-Key": key}, body)
        if answer.status == 201:
            order_id = answer.json["order_id"]
            self._expect(self.acknowledged.setdefault(key, order_id) == order_id, f"{key} made two orders")
        else:
            self.refused.add(key)
        return answer

    def cancel(self, line: Line, customer: dict[str, str], order_id: str) -> None:
        answer = self._until_final(line, f"/orders/{order_id}/cancel", customer, None)
        # After an unanswered request, "cancelled already" means that it succeeded.
        self._expect(answer.status in {200, 409}, f"cancelling {order_id} was answered {answer.status}")
        self.cancelled.add(order_id)

    def _until_final(self, line: Line, path: str, headers: dict[str, str], body: Any) -> Response:
        while not self._given_up.is_set():
            with suppress(Unanswered):
                answer = self._ask(line, path, headers, body)
                if answer.status in FINAL and not (answer.status == 409 and "Retry-After" in answer.headers):
                    return answer
                self._expect(answer.status in {409, 429, 503}, f"{path} was answered {answer.status}: {answer.body!r}")
                line.move_on()  # try another server
            time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))
        raise TimeoutError(f"{path} has no final answer")

    def _ask(self, line: Line, path: str, headers: dict[str, str], body: Any) -> Response:
        began = time.monotonic()
        try:
            answer = line.ask("POST", path, body, headers)
        except Unanswered:
            self.unanswered += 1
            raise
        now = time.monotonic()
        self.heard.append(Heard(now, now - began, answer.status, answer.headers.get("Retry-After")))
        return answer

    def _expect(self, true: bool, otherwise: str) -> None:
        if not true:
            self.surprises.append(otherwise)
