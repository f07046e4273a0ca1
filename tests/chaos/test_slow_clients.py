"""Slow clients at HAProxy: they never hold a thread of a service."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from chaos.environment import PRODUCTS, Environment
from chaos.load import Load
from chaos.proxy import Proxy, program
from chaos.wire import Line

pytestmark = pytest.mark.skipif(program() is None, reason="HAProxy is not installed: apt-get install haproxy")

ATTACK_SECONDS = 6  # at least; HAProxy ends an incomplete request after 10
HEAD = b"POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n"
READ = b"GET /products?limit=100 HTTP/1.1\r\nHost: shop\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return an HTTP/2 frame."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def http_2_requests(count: int) -> bytes:
    """Return the start of an HTTP/2 connection with POST requests without their bodies."""
    preface, settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, b"")
    headers = b"\x83\x86\x04\x07/orders\x01\x04shop"  # HPACK: POST, http, path and host
    return preface + settings + b"".join(frame(1, 4, 2 * number + 1, headers) for number in range(count))


class Attack(NamedTuple):
    """Connections that send `start` at once, then `drip` every second, and read nothing."""

    connections: int
    start: bytes
    drip: bytes


ATTACKS = {
    "600 dripping bodies": Attack(600, HEAD + b"{", b" "),
    "300 slow headers": Attack(300, b"POST /orders HTTP/1.1\r\nHost: shop\r\nX-Slow: ", b"x"),
    "100 slow readers": Attack(100, READ * 100, b""),
    "3 connections of 190 HTTP/2 streams": Attack(3, http_2_requests(190), frame(6, 0, 0, bytes(8))),
}


@contextmanager
def under(attack: Attack, port: int) -> Iterator[list[socket.socket]]:
    """Keep the connections of an attack open and dripping."""
    attackers = [connect(port) for _ in range(attack.connections)]
    over = threading.Event()
    dripping = threading.Thread(target=drip, args=(attackers, attack, over))
    dripping.start()
    try:
        yield attackers
    finally:
        over.set()
        dripping.join()
        for attacker in attackers:
            attacker.close()


def connect(port: int) -> socket.socket:
    attacker = socket.socket()
    attacker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    attacker.connect(("127.0.0.1", port))
    attacker.setblocking(False)
    return attacker


def drip(attackers: list[socket.socket], attack: Attack, over: threading.Event) -> None:
    data = attack.start
    while True:
        for attacker in attackers:
            with suppress(OSError):
                attacker.send(data)
        data = attack.drip
        if over.wait(1):
            return


@pytest.mark.budget(120)
@pytest.mark.parametrize("name", ATTACKS)
def test_slow_clients_are_disconnected_and_others_are_served(
    name: str, environment: Environment, tmp_path: Path
) -> None:
    invariants = environment.invariants()
    others: list[int] = []
    with (
        Proxy(tmp_path, user=environment.shop.user.port, order=environment.shop.order.port) as proxy,
        under(ATTACKS[name], proxy.order_port) as attackers,
        Load([proxy.order_port], environment.customers, 8, PRODUCTS) as load,
    ):
        enough = time.monotonic() + ATTACK_SECONDS
        ports = {attacker.getsockname()[1] for attacker in attackers}
        while time.monotonic() < enough or ports & proxy.client_ports():
            line = Line([proxy.order_port])
            others += [line.ask("GET", path).status for path in ("/healthz", "/readyz", "/products?limit=3")]
            line.close()
            time.sleep(0.2)

    assert set(others) == {200}
    assert {heard.status for heard in load.heard} <= {200, 201}
    assert load.unanswered == 0
    environment.close(name, invariants, load)
