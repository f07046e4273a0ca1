"""PostgreSQL's own load generator with the statement that places an order: the limit of the database."""

from __future__ import annotations

import re
import subprocess
import tempfile

from bench.figures import Outcome
from bench.shop import PRODUCTS
from bench.statements import NOBODY, Statement, order
from localshop import Trouble
from localshop.postgres import BIN

CLIENTS = 16
_TPS = re.compile(r"^tps = ([0-9.]+) ", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: ([0-9]+)$", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: ([0-9]+)", re.MULTILINE)

# Replaces the statement's parameters: two products that differ, one of 64 buyers, a new key each time.
CHOOSE = rf"""
\set first random(1, {PRODUCTS})
\set second 1 + (:first + random(0, {PRODUCTS} - 2)) % {PRODUCTS}
\set buyer random(1, 64)
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


def script() -> str:
    """Return an order of two lines as pgbench takes it."""
    statement: Statement = order(NOBODY, [{"product_id": f"p{n}", "qty": 1} for n in (1, 2)])
    return f"{CHOOSE}{statement.sql % CHOSEN};\n"


def run(url: str, seconds: int) -> Outcome:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script())
        file.flush()
        options = ("-n", "-M", "prepared", f"-c{CLIENTS}", "-j1", f"-T{seconds}", "-f", file.name)
        command = (BIN / "pgbench", *options, url)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if ended.returncode:
        raise Trouble(f"pgbench: {ended.stderr.strip()}")
    return parse(ended.stdout)


def parse(output: str) -> Outcome:
    """Read pgbench's report; raise Trouble when a transaction failed, or none was made."""
    found = [pattern.search(output) for pattern in (_TPS, _DONE, _FAILED)]
    if not all(found):
        raise Trouble(f"pgbench printed something else than a report: {output.strip()[-200:]}")
    tps, done, failed = (float(match[1]) for match in found if match)
    if failed or not done:
        raise Trouble(f"pgbench: {failed:.0f} transactions failed, {done:.0f} were made")
    return Outcome(tps, int(done))
