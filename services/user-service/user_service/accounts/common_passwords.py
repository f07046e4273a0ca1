"""The passwords that are tried first: zxcvbn's list, read from its file.

Imported as the package means it, zxcvbn would keep 10 MB of names and words beside them, in every worker.
"""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.metadata import distribution
from types import ModuleType


def _read() -> frozenset[str]:
    lists = ModuleType("frequency_lists")
    file = distribution("zxcvbn").locate_file("zxcvbn/frequency_lists.py")
    SourceFileLoader(lists.__name__, str(file)).exec_module(lists)
    return frozenset(lists.FREQUENCY_LISTS["passwords"])


COMMON_PASSWORDS = _read()
