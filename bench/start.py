"""Measure a service's start until ready, and the import of its largest packages."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import click

from bench.figures import Comparison
from bench.shop import Server, Shop
from localshop import ROOT

ROUNDS = 5
AT_MOST = 2.0
IMPORT = "import granian.server.mp, flask_openapi3, pydantic_settings, psycopg, orjson, prometheus_client, cryptography"


def measure(shop: Shop) -> Iterator[Comparison]:
    for name, running in shop.items():
        ours, bare = zip(*((_ready(running), _imported()) for _ in range(ROUNDS)), strict=True)
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


def _imported() -> float:
    begun = time.perf_counter()
    subprocess.run((sys.executable, "-c", IMPORT), check=True)
    return time.perf_counter() - begun
