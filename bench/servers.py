"""The servers beside the shop: the floor, and the yardstick."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple

from bench.asked import NO_TAG
from bench.floor import PLAN
from bench.traffic import World, bearer
from bench.wrk import KEY, Load
from localshop import ROOT, Trouble
from localshop.child import Child

START_SECONDS = 30
OF_THE_SERVER = {"date", "connection", "transfer-encoding"}


class Answer(NamedTuple):
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: str

    @property
    def names(self) -> list[str]:
        return sorted(name.lower() for name, _ in self.headers)


def ask(port: int, request: str) -> Answer:
    """Send one raw request as wrk would."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.replace(KEY, os.urandom(12).hex()).encode())
        with HTTPResponse(connection) as response:
            response.begin()
            headers = [header for header in response.getheaders() if header[0].lower() not in OF_THE_SERVER]
            return Answer(response.status, response.reason, headers, response.read().decode())


def current(load: Load, port: int) -> Load:
    """Return the load with the ETag of now where it names one: each order has changed the list."""
    if load.status != HTTPStatus.NOT_MODIFIED:
        return load
    tag = etag(ask(port, load.requests[0]))
    return load._replace(requests=[request.replace(NO_TAG, tag) for request in load.requests])


def require(load: Load, port: int) -> Answer:
    """Return the answer to the first request of a load; raise Trouble when its status is another than expected."""
    answer = ask(port, load.requests[0])
    if answer.status != load.status:
        first, body = load.requests[0].splitlines()[0], answer.body[:500]
        raise Trouble(f"{first}: {answer.status} instead of {load.status}: {body}")
    return answer


@contextmanager
def running(child: Child, port: int) -> Iterator[int]:
    """Run a server until the block is left; yield its port once it listens."""
    with ExitStack() as stack:
        stack.callback(child.stop)
        child.launch()
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if not child.running or time.monotonic() > deadline:
                raise child.trouble("does not start")
            time.sleep(0.05)
        yield port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def yardstick(port: int, folder: Path) -> Child:
    """Return Flask's development server with the first version in ten lines."""
    command = (sys.executable, "-m", "flask", "--app", "bench/yardstick.py", "run", "--port", str(port))
    return Child("yardstick", command, log=folder / "yardstick.log", cwd=ROOT, environment=os.environ)


def floor(port: int, folder: Path, plan: Mapping[str, Any]) -> Child:
    """Return the floor server, which finds its plan in a file of this folder."""
    file = folder / "floor.json"
    file.write_text(json.dumps(plan))
    own = {"HOST": "127.0.0.1", "PORT": str(port), "SERVICE_NAME": "floor", PLAN: str(file)}
    command = (sys.executable, "-m", "bench.floor")
    return Child("floor", command, log=folder / "floor.log", cwd=ROOT, environment=os.environ | own)


def plan(world: World, answers: Mapping[str, Answer]) -> dict[str, Any]:
    """Tell the floor whom to expect, and how the shop has answered."""
    return {
        "order_url": world.shop.order.database_url,
        "user_url": world.shop.user.database_url,
        "heads": {work: _head(answer, whole=work.startswith("products")) for work, answer in answers.items()},
        "body": answers["products"].body,
        "etag": etag(answers["products"]),
        "callers": {bearer(who): who for who in {*world.orders.values(), *world.profiles, *world.buyers}},
        "products": world.products,
        "orders": {key: bearer(reader) for key, reader in world.orders.items()},
        "profiles": [bearer(who) for who in world.profiles],
        "baskets": {bearer(who): world.baskets[n :: len(world.buyers)] for n, who in enumerate(world.buyers)},
    }


def etag(answer: Answer) -> str:
    return {name.lower(): value for name, value in answer.headers}["etag"]


def _head(answer: Answer, *, whole: bool) -> tuple[str, list[tuple[str, str]]]:
    """Return status and headers; the length only where the body will be the same."""
    kept = [header for header in answer.headers if whole or header[0].lower() != "content-length"]
    return f"{answer.status} {answer.reason}", kept


def require_same(work: str, load: Load, shop: int, floor: int) -> None:
    """Raise Trouble unless the floor answers as the shop does: status, headers, body; of an order, the members."""
    ours, theirs = (require(current(load, port), port) for port in (shop, floor))
    same = (
        [*json.loads(ours.body)] == [*json.loads(theirs.body)]
        if ours.status == HTTPStatus.CREATED
        else ours.body == theirs.body
    )
    if not same or ours.names != theirs.names:
        raise Trouble(f"the floor answers {work} otherwise than the shop: {theirs} instead of {ours}")
