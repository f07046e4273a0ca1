"""The floor: a bare WSGI callable under the services' own server settings, doing only what cannot be left out.

It sends the bytes that the shop has sent, or runs the very statement that the service runs, prepared, and sends the
document. No framework, no routing, no tokens, no validation, no limits, no metrics, no log. FLOOR_PLAN names a file
that tells whom to expect and what the shop has answered; `python -m bench.floor` serves it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson
import psycopg

from bench import asked
from bench.asked import Asked
from chassis.context import Caller
from chassis.server.__main__ import ServerSettings, server
from user_service.profile.queries import PROFILE

PLAN = "FLOOR_PLAN"
Plan = Mapping[str, Any]
Rows = list[Any]
Respond = Callable[[Any], Iterable[bytes]]


class Ledger:
    """A service's database: one AUTOCOMMIT connection for each thread that needs one at the same time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[psycopg.Connection[Any]] = []

    def rows(self, statement: str, parameters: Mapping[str, Any]) -> Rows:
        connection = self._idle.pop() if self._idle else psycopg.connect(self._url, autocommit=True)
        rows = connection.execute(statement, parameters, prepare=True).fetchall()
        self._idle.append(connection)
        return rows


class Head(NamedTuple):
    """An answer of the shop but for its body."""

    status: str
    headers: Sequence[tuple[str, str]]

    def send(self, body: bytes, start_response: Any) -> Iterable[bytes]:
        start_response(self.status, [*self.headers, ("Content-Length", str(len(body)))])
        return (body,)


@dataclass(frozen=True, slots=True)
class Same:
    """Answer with what the shop has answered."""

    head: Head
    body: bytes

    def __call__(self, start_response: Any) -> Iterable[bytes]:
        start_response(*self.head)
        return (self.body,)


@dataclass(frozen=True, slots=True)
class Read:
    """Answer with what a statement finds."""

    head: Head
    ledger: Ledger
    write: Callable[[Rows], bytes]
    question: Asked

    def __call__(self, start_response: Any) -> Iterable[bytes]:
        rows = self.ledger.rows(self.question.statement, self.question.parameters)
        return self.head.send(self.write(rows), start_response)


@dataclass(frozen=True, slots=True)
class Place:
    """Place one of the orders that may be asked for, under a key that was never used."""

    head: Head
    ledger: Ledger
    key: str
    questions: Sequence[Asked]

    def __call__(self, start_response: Any) -> Iterable[bytes]:
        question = random.choice(self.questions)  # noqa: S311 - no secret
        rows = self.ledger.rows(question.statement, {**question.parameters, self.key: secrets.token_hex(12)})
        return self.head.send(rows[0][1].encode(), start_response)


def document(rows: Rows) -> bytes:
    return cast(bytes, rows[0][0].encode())


def documents(rows: Rows) -> bytes:
    return f"[{','.join([row[1] for row in rows])}]".encode()


def account(rows: Rows) -> bytes:
    return orjson.dumps(dict(zip(PROFILE, rows[0], strict=True)))


class Floor:
    """Knows all requests that will come; another one is an error, and a 500."""

    def __init__(self, known: Mapping[str, Respond]) -> None:
        self._known = known

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            environ["wsgi.input"].read()
        shown = environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_IF_NONE_MATCH", "")
        return self._known[environ["PATH_INFO"] + shown](start_response)


def known(plan: Plan) -> dict[str, Respond]:
    """Return how to answer each request, by its path and what it shows: a token, or an ETag."""
    shop, users = Ledger(plan["order_url"]), Ledger(plan["user_url"])
    heads = {work: Head(status, [*map(tuple, headers)]) for work, (status, headers) in plan["heads"].items()}
    callers = {token: Caller(*who) for token, who in plan["callers"].items()}
    product, order, orders = (
        partial(Read, heads[work], shop, write)
        for work, write in (("product", document), ("order", document), ("orders", documents))
    )
    profile = partial(Read, heads["profile"], users, account)
    products = Same(heads["products"], plan["body"].encode())
    return {
        "/products": products,
        f"/products{asked.NO_TAG}": products,
        f"/products{plan['etag']}": Same(heads["products_304"], b""),
        **{f"/products/{key}": product(asked.product(key)) for key in plan["products"]},
        **{f"/orders/{key}{token}": order(asked.order(key, callers[token])) for key, token in plan["orders"].items()},
        **{f"/orders{token}": orders(asked.own_orders(callers[token])) for token in set(plan["orders"].values())},
        **{f"/profile{token}": profile(asked.own_profile(callers[token])) for token in plan["profiles"]},
        **{
            f"/create_order{token}": _placing(heads["create_order"], shop, callers[token], baskets)
            for token, baskets in plan["baskets"].items()
        },
    }


def _placing(head: Head, shop: Ledger, buyer: Caller, baskets: list[list[str]]) -> Place:
    questions = [asked.placing(buyer, basket) for basket in baskets]
    return Place(head, shop, asked.name_of_key(questions[0]), questions)


def load(_: str) -> Floor:
    """Load the floor in a worker process."""
    return Floor(known(json.loads(Path(os.environ[PLAN]).read_text())))


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    server(ServerSettings()).serve(target_loader=load)
