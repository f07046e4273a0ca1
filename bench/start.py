"""How long a service takes from its launch to /readyz, beside the bare import of what it stands on."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.clock import Clock
from bench.figures import Comparison
from localshop import Trouble
from localshop.service import READY_SECONDS, Service
from localshop.shop import Shop
from localshop.testing import free_ports

ROUNDS = 5
AT_MOST = 2.0
LIST = """
import sys, chassis.server, app
print(*(name for name, module in sys.modules.items() if "site-packages" in (getattr(module, "__file__", 0) or "")))
"""
IMPORT = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1:]]"


def measure(shop: Shop, clock: Clock) -> list[Comparison]:
    comparisons = []
    for service, port in zip(shop.services, free_ports(), strict=True):
        names = _python(service, LIST).split()
        rounds = [(_ready(service.twin(port)), _imported(service, names)) for _ in range(ROUNDS)]
        ours, bare = zip(*rounds, strict=True)
        comparisons.append(Comparison(service.name, "s", ours, bare, AT_MOST, at_least=False))
        clock.say(f"{service.name}: ready after {min(ours):.2f} s, bare import {min(bare):.2f} s")
    return comparisons


def _ready(service: Service) -> float:
    begun = time.perf_counter()
    service.launch()
    try:
        while not service.is_ready():
            if not service.running or time.perf_counter() - begun > READY_SECONDS:
                raise service.trouble("does not get ready")
            time.sleep(0.005)
        return time.perf_counter() - begun
    finally:
        service.stop()


def _imported(service: Service, names: list[str]) -> float:
    begun = time.perf_counter()
    _python(service, IMPORT, *names)
    return time.perf_counter() - begun


def _python(service: Service, code: str, *arguments: str) -> str:
    command = (sys.executable, "-c", code, *arguments)
    ended = subprocess.run(
        command, cwd=service.cwd, env=service.environment, capture_output=True, text=True, timeout=60, check=False
    )
    if ended.returncode:
        raise Trouble(f"{service.name}: {ended.stderr.strip().splitlines()[-1]}")
    return ended.stdout
