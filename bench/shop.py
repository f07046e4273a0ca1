"""Run the shop of a checkout, this one or another commit's, on its own databases and ports."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import httpx
import psycopg

from localshop import ROOT, Trouble
from localshop.child import Child
from localshop.postgres import Postgres, owner_of
from localshop.shop import default_workers
from localshop.testing import free_ports, fresh_folder

START_SECONDS = 60
PRODUCTS, STOCK = 1_000, 1_000_000_000
SERVICES = ("user-service", "order-service")
SETTINGS = {
    "APP_ENV": "local",
    "HOST": "127.0.0.1",
    "RATE_LIMIT_PER_ADDRESS": "1000000000",  # all sign-ins come from one address
    "TOKEN_TTL_SECONDS": "86400",  # longer than a run
}
Shop = Mapping[str, "Server"]  # both services, by name


class Server(Child):
    """A server of `app:app` in a folder, with a checkout's interpreter and server module."""

    def __init__(self, name: str, checkout: Path, folder: Path, log: Path, settings: Mapping[str, str]) -> None:
        self.python: Path = checkout / ".venv/bin/python"
        if not self.python.exists():
            raise Trouble(f"{checkout} has no .venv: run `make setup` there")
        self.port, _ = free_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {**os.environ, **SETTINGS, "PORT": str(self.port), **settings}
        command = (self.python, "-m", server_module(checkout))
        super().__init__(name, command, log=log, cwd=folder, environment=self.settings)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not self.running or time.monotonic() > deadline:
                raise self.trouble("does not start")
            time.sleep(0.01)

    def answers(self) -> bool:
        """Tell whether the server answers; a service must also be ready."""
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz").status_code != HTTPStatus.SERVICE_UNAVAILABLE
        return False

    def run(self, *arguments: str | Path, **settings: str) -> None:
        """Run a command of the service."""
        line = (self.python, "-m", self.name.replace("-", "_"), *arguments)
        Child(self.name, line, log=self.log, cwd=self.cwd, environment=self.settings | settings).complete()


def server_module(checkout: Path) -> str:
    """Return the name of the server module, which older commits call differently."""
    new = checkout / "libs/chassis/src/chassis/server/__main__.py"
    return "chassis.server" if new.exists() else "chassis.serve"


def import_command(checkout: Path) -> tuple[str, ...]:
    """Return the command that imports a catalogue, which older commits call differently."""
    new = checkout / "services/order-service/order_service/commands.py"
    return ("catalog", "import") if new.exists() else ("catalog",)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run PostgreSQL with durable commits in a new folder."""
    with fresh_folder() as data:
        data.mkdir()
        server = Postgres(data / "postgres", data / "postgres.log")
        try:
            server.start()
            _require_durable(server)
            yield server
        finally:
            server.stop()


def _require_durable(server: Postgres) -> None:
    with psycopg.connect(server.url("postgres")) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            if connection.execute(f"SHOW {setting}").fetchone() != ("on",):
                raise Trouble(f"PostgreSQL runs with {setting} off: that would measure something else")


@contextmanager
def running(
    server: Postgres, label: str, checkout: Path = ROOT, settings: Mapping[str, str] | None = None
) -> Iterator[Shop]:
    """Run both services of a checkout with PRODUCTS products; `label` is part of their databases' names."""
    shop: dict[str, Server] = {}
    try:
        for name in SERVICES:
            shop[name] = service(server, name, label, checkout, {**_urls(shop), **sized(name), **(settings or {})})
            if name == "order-service":
                shop[name].run(*import_command(checkout), catalogue(server.folder.parent))
            shop[name].start()
        yield shop
    finally:
        for each in shop.values():
            each.stop()


def sized(name: str) -> dict[str, str]:
    """Return the number of workers that `make up` gives a service."""
    return {"WORKERS": str(default_workers() if name == "order-service" else 1)}


def service(server: Postgres, name: str, label: str, checkout: Path, settings: Mapping[str, str]) -> Server:
    """Return a service with a migrated database."""
    database, folder = f"{label}_{name.partition('-')[0]}", checkout / "services" / name
    server.create_databases(database)
    own = {"DATABASE_URL": server.url(database, database), **settings}
    new = Server(name, checkout, folder, server.folder.parent / f"{database}.log", own)
    new.run("migrate", DATABASE_URL=server.url(database, owner_of(database)), APP_ROLE=database)
    return new


def _urls(shop: Shop) -> dict[str, str]:
    """Return the settings with the other services' URLs."""
    return {f"{name.upper().replace('-', '_')}_URL": each.url for name, each in shop.items()}


def catalogue(folder: Path) -> Path:
    """Write a CSV file with the products p1, p2 and so on."""
    file = folder / "products.csv"
    with file.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["id", "name", "description", "category", "price", "currency", "stock"])
        for n in range(1, PRODUCTS + 1):
            about = f"A lamp of oak and steel, number {n} of its kind, made to last"
            writer.writerow([f"p{n}", f"Lamp {n}", about, f"Category {n % 20}", f"{5 + n % 90}.99", "EUR", STOCK])
    return file
