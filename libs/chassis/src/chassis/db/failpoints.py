"""Named places at which a test makes the process crash, to prove that a crash there loses nothing.

FAILPOINTS names a folder; a file there arms the point of its name, for one crash. Only a local process looks.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CRASHED = 86
_FOLDER = os.environ.get("FAILPOINTS") if os.environ.get("APP_ENV", "local") == "local" else None


def reach(point: str) -> None:
    """Crash here, without any farewell, when a test has armed this point."""
    if _FOLDER is not None:
        with suppress(FileNotFoundError):
            Path(_FOLDER, point).unlink()
            os._exit(CRASHED)
