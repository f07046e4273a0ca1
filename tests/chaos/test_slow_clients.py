"""Clients that send a byte a second must not occupy the workers for others."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from statistics import median

import pytest

from chaos.world import World

SLOW_CLIENTS = 200
BODY = 4000


@contextmanager
def slow_clients(port: int, path: str) -> Iterator[list[socket.socket]]:
    """Keep requests arriving, a byte a second each."""
    head = f"POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n"
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW_CLIENTS)]
    for client in clients:
        client.sendall(head.encode() + b"{")
    over = threading.Event()
    dripping = threading.Thread(target=_drip, args=(clients, over))
    dripping.start()
    try:
        yield clients
    finally:
        over.set()
        dripping.join()
        for client in clients:
            client.close()


def _drip(clients: list[socket.socket], over: threading.Event) -> None:
    while not over.wait(1):
        for client in clients:
            with suppress(OSError):
                client.sendall(b" ")


def is_hung_up(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.budget(60)
def test_200_slow_clients_leave_the_workers_to_others(world: World) -> None:
    books = world.books()
    with world.buyers(8) as alone:
        world.tend(4)
    usual = median(heard.seconds for heard in alone.heard)

    with slow_clients(world.shop.order.port, "/orders") as clients:
        with world.buyers(8) as buyers:
            world.tend(6)
        slow = median(heard.seconds for heard in buyers.heard)
        assert sum(map(is_hung_up, clients)) == 0
        world.tend_until(lambda: all(map(is_hung_up, clients)))

    assert {heard.status for heard in buyers.heard} <= {200, 201}
    assert buyers.unanswered == 0
    assert slow < 5 * usual + 0.05
    world.close(f"{SLOW_CLIENTS} slow clients", books, buyers)
