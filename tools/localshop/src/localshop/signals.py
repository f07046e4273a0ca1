"""Handle Ctrl-C, SIGTERM and a closed terminal between steps, never in the middle of one."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Stopped(BaseException):
    """A signal asked the shop to stop."""


_asked: list[int] = []


def pause(seconds: float) -> None:
    """Sleep; raise Stopped after a signal.

    The signal handler itself does not raise, because an exception could be lost in a fork or a destructor.
    """
    time.sleep(seconds)
    if _asked:
        raise Stopped


@contextmanager
def until_asked_to_stop() -> Iterator[None]:
    """Leave the block at its next pause() after a signal; further signals are ignored."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup the shop must survive its terminal
        signals.append(signal.SIGHUP)
    for number in signals:
        signal.signal(number, lambda number, _frame: _asked.append(number))
    with suppress(Stopped):
        yield
