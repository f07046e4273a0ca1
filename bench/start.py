"""How long a service takes from its launch to ready, beside the bare import of the packages that it loads."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import click

from bench.figures import Comparison
from bench.shop import Server, Shop
from localshop import ROOT, Trouble

ROUNDS = 5
AT_MOST = 2.0
LIST = """
import sys, granian.server.mp, app
print(*(name for name, module in sys.modules.items() if "site-packages" in (getattr(module, "__file__", 0) or "")))
"""
IMPORT = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1:]]"


def measure(shop: Shop) -> Iterator[Comparison]:
    for name, running in shop.items():
        packages = _python(running, LIST).split()
        rounds = [(_ready(running), _seconds_to_import(running, packages)) for _ in range(ROUNDS)]
        ours, bare = zip(*rounds, strict=True)
        click.echo(f"{name}: ready after {min(ours):.2f} s, bare import {min(bare):.2f} s")
        yield Comparison(name, "s", ours, bare, AT_MOST, at_least=False)


def _ready(like: Server) -> float:
    """Start one more server on the same database; return the seconds until it is ready."""
    urls = {name: value for name, value in like.settings.items() if name in {"DATABASE_URL", "USER_SERVICE_URL"}}
    server = Server(like.name, ROOT, like.cwd, like.log, urls)
    begun = time.perf_counter()
    try:
        server.start()
        return time.perf_counter() - begun
    finally:
        server.stop()


def _seconds_to_import(server: Server, packages: list[str]) -> float:
    begun = time.perf_counter()
    _python(server, IMPORT, *packages)
    return time.perf_counter() - begun


def _python(server: Server, code: str, *arguments: str) -> str:
    command = (str(server.python), "-c", code, *arguments)
    ended = subprocess.run(
        command, cwd=server.cwd, env=server.settings, capture_output=True, text=True, timeout=60, check=False
    )
    if ended.returncode:
        raise Trouble(f"{server.name}: {ended.stderr.strip().splitlines()[-1]}")
    return ended.stdout
