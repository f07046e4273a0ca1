"""Measure reads during a flood of wrong logins: `.venv/bin/python -m bench.sign_in_flood`, about four minutes.

Uses the rate limits of production. Reads are measured ROUNDS times with each attack and ROUNDS times without.
"""

from __future__ import annotations

import itertools
from functools import partial
from statistics import median

import click

from bench import rounds, shop, wrk
from bench.customers import register, request
from bench.figures import Outcome
from bench.report import aligned
from bench.wrk import Load

ROUNDS, SECONDS = 3, 10
CONNECTIONS, PAUSE_MS = 16, 320  # 50 logins a second
SETTINGS = {"TRUSTED_PROXIES": "127.0.0.1", "RATE_LIMIT_PER_ADDRESS": "600"}
USER = "user-service"
numbers = itertools.count(1)


def attempt(address: str, account: str) -> str:
    """Return a wrong login with the header of a trusted proxy."""
    body = {"username": account, "password": "wrong horse"}
    return request("POST", "/login", body=body, X_Forwarded_For=address)


def address(number: int) -> str:
    return f"198.{18 + number % 2}.{number // 2 % 256}.{number // 512 % 256}"  # 198.18.0.0/15 is for benchmarks


ATTACKS = {
    "one address, new accounts": lambda n: attempt("203.0.113.7", f"victim{n}"),
    "one account, new addresses": lambda n: attempt(address(n), "customer0"),
    "new addresses and accounts": lambda n: attempt(address(n), f"stranger{n}"),
}


def flood(attack: str) -> Load:
    """Return logins that differ from those of all other rounds."""
    logins = [ATTACKS[attack](next(numbers)) for _ in range(60 * SECONDS)]
    return Load(logins, CONNECTIONS, USER, PAUSE_MS, may_be_refused=True)


def main() -> None:
    wrk.require_wrk()
    with shop.postgres() as server, shop.running(server, "flood", settings=SETTINGS) as services:
        profile = request("GET", "/profile", register(services).buyers[0])
        reads = {"GET /healthz": request("GET", "/healthz"), "GET /profile": profile}

        def read(text: str, attack: str, seconds: int) -> Outcome:
            meanwhile = flood(attack) if attack else None
            return wrk.send(Load([text], 1, USER, pause_ms=10, meanwhile=meanwhile), services, seconds)

        races = {name: {who: partial(read, text, who) for who in ("", *ATTACKS)} for name, text in reads.items()}
        results = rounds.run(races, ROUNDS, SECONDS)
    lines = [
        [name, who or "no attack", *(f"{median(getattr(o, part) for o in outcomes):.2f} ms" for part in ("p50", "p99"))]
        for name, race in results.items()
        for who, outcomes in race.items()
    ]
    click.echo(aligned([["", "50 wrong logins a second", "p50", "p99"], *lines]))


if __name__ == "__main__":
    main()
