from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from chassis.server.overdue import Overdue

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a socket was last heard")

SECONDS = 0.2


class Pair:
    """A client's end of a connection, and the server's."""

    def __init__(self, listener: socket.socket, stack: ExitStack) -> None:
        self.client = stack.enter_context(socket.create_connection(listener.getsockname()))
        self.server = stack.enter_context(listener.accept()[0])
        self.client.settimeout(5)
        time.sleep(0.05)  # so that what comes next is later, to the millisecond

    def is_cut(self) -> bool:
        self.client.setblocking(False)
        try:
            return self.client.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def listener(stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_server(("127.0.0.1", 0)))


def test_only_a_client_that_waits_for_an_answer_for_too_long_is_hung_up_on(
    listener: socket.socket, stack: ExitStack
) -> None:
    silent, slow, answered, busy = (Pair(listener, stack) for _ in range(4))
    overdue = Overdue(listener.getsockname()[1], SECONDS)
    for pair in (slow, answered, busy):
        pair.client.sendall(b"POST")
    time.sleep(0.05)
    answered.server.sendall(b"200")
    answered.client.recv(3)

    cut = 0
    for _ in range(6):
        cut += overdue.cut()
        busy.server.sendall(b"200")  # answers, and is asked again at once
        busy.client.recv(3)
        busy.client.sendall(b"POST")
        time.sleep(SECONDS / 4)

    assert [pair.is_cut() for pair in (silent, slow, answered, busy)] == [False, True, False, False]
    assert cut >= 1


def test_a_client_that_was_idle_for_long_and_asks_now_gets_the_whole_time(
    listener: socket.socket, stack: ExitStack
) -> None:
    pair = Pair(listener, stack)
    overdue = Overdue(listener.getsockname()[1], SECONDS)
    time.sleep(SECONDS * 2)
    pair.client.sendall(b"POST")
    time.sleep(0.05)

    assert overdue.cut() == 0
    time.sleep(SECONDS * 1.5)
    assert overdue.cut() == 1
