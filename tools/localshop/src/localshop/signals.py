"""Handle Ctrl-C, SIGTERM and a closed terminal between steps, never in the middle of one."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Stopped(BaseException):
    """A signal asked the shop to stop."""


_asked: list[int] = []
_terminals: list[select.poll] = []


def pause(seconds: float) -> None:
    """Sleep; raise Stopped after a signal.

    The signal handler itself does not raise, because an exception could be lost in a fork or a destructor.
    """
    time.sleep(seconds)
    if _asked or any(terminal.poll(0) for terminal in _terminals):
        raise Stopped


@contextmanager
def until_asked_to_stop() -> Iterator[None]:
    """Leave the block at its next pause() after a signal; further signals are ignored."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup the shop must survive its terminal
        signals.append(signal.SIGHUP)
        _watch_terminal()
    for number in signals:
        signal.signal(number, lambda number, _frame: _asked.append(number))
    with suppress(Stopped):
        yield


def _watch_terminal() -> None:
    """Notice a closed terminal where make leads the session: it alone gets SIGHUP then, and it waits for us."""
    if os.getsid(0) != os.getppid():
        return
    with suppress(OSError):  # no terminal
        terminal = select.poll()
        terminal.register(os.open("/dev/tty", os.O_RDONLY), select.POLLHUP)
        _terminals.append(terminal)
