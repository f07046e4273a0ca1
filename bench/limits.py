"""Limits that need no server of ours: PostgreSQL's own load generator, and bare hashing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bench.asked import Asked, placing
from bench.figures import Outcome
from bench.seed import PASSWORD, Size
from bench.traffic import World
from localshop import Trouble
from localshop.postgres import BIN
from user_service.accounts.passwords import ARGON2ID

CLIENTS = 16
_TPS = re.compile(r"^tps = ([0-9.]+) ", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: ([0-9]+)$", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: ([0-9]+)", re.MULTILINE)

# What takes the places of the statement's parameters: two products that differ, a new key each time.
CHOOSE = r"""
\set first random(1, {products})
\set second 1 + (:first + random(0, {products} - 2)) % {products}
\set buyer random({buyers} + 1, {users} - 1)
\set key random(1, 9223372036854775807)
"""
CHOSEN = {
    "product_ids": "ARRAY['p' || :first::text, 'p' || :second::text]",
    "quantities": "ARRAY[1, 1]",
    "buyer_id": "('u-' || lpad(:buyer::text, 32, '0'))",
    "buyer_name": "('user' || :buyer::text)",
    "ship_to": "NULL",
    "key": "('pgbench-' || :key::text)",
    "fingerprint": f"'\\x{'0' * 64}'",
}


def script(question: Asked, size: Size) -> str:
    """Return the order statement as pgbench takes it."""
    chosen = CHOOSE.format(products=size.products, buyers=size.buyers, users=size.users)
    return f"{chosen}{question.statement % CHOSEN};\n"


@contextmanager
def pgbench_script(world: World, size: Size) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script(placing(world.buyers[0], world.baskets[0]), size))
        file.flush()
        yield Path(file.name)


def pgbench(file: Path, url: str, seconds: int) -> Outcome:
    options = ("-n", "-M", "prepared", f"-c{CLIENTS}", "-j1", f"-T{seconds}", "-f", file)
    command = (BIN / "pgbench", *options, url)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if ended.returncode:
        raise Trouble(f"pgbench: {ended.stderr.strip()}")
    return parse(ended.stdout)


def parse(output: str) -> Outcome:
    """Read pgbench's report; raise Trouble when a transaction failed, or none was made."""
    found = [pattern.search(output) for pattern in (_TPS, _DONE, _FAILED)]
    if not all(found):
        raise Trouble(f"pgbench said something else: {output.strip()[-200:]}")
    tps, done, failed = (float(match[1]) for match in found if match)
    if failed or not done:
        raise Trouble(f"pgbench: {failed:.0f} transactions failed, {done:.0f} were made")
    return Outcome(tps, int(done))


def cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def argon2(seconds: int) -> Outcome:
    """Check passwords as the shop does, in as many threads as there are cores."""
    stored, begun = ARGON2ID.hash(PASSWORD), time.perf_counter()

    def check_until_the_end() -> int:
        checks = 0
        while time.perf_counter() < begun + seconds:
            ARGON2ID.verify(stored, PASSWORD)
            checks += 1
        return checks

    with ThreadPoolExecutor(cores()) as pool:
        checks = sum(future.result() for future in [pool.submit(check_until_the_end) for _ in range(cores())])
    return Outcome(checks / (time.perf_counter() - begun), checks)
