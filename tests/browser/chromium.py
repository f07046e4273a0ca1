"""Find Chromium, and start it so that it speaks to this machine only."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

MISSING = "no Chromium found: apt-get install chromium, or CHROMIUM=path"
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


def find() -> str | None:
    """Return the path of the program that CHROMIUM names, or of the one on the PATH."""
    return shutil.which(os.environ.get("CHROMIUM") or "chromium")


def launch(playwright: Playwright) -> Browser:
    """Start Chromium; as root, it has no sandbox."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=find(), args=[*ARGUMENTS, *sandbox])
