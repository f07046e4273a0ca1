"""Start, stop and kill PostgreSQL, both services and their workers, together or one by one."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from localshop import ROOT, Trouble
from localshop.child import Child
from localshop.postgres import VERSION, Postgres, owner_of
from localshop.preflight import claimed, erase, free_ports, require_free, why_unreachable
from localshop.service import Service
from localshop.signals import pause

PORT_VARIABLES = ("USER_PORT", "ORDER_PORT")
MOST_WORKERS = 4  # four keep PostgreSQL busy, and open 32 of its 100 connections
DEMO = ROOT / "services/order-service/demo"
DEMO_CATALOG = DEMO / "products.csv"


def default_workers() -> int:
    """Return the workers of order-service where nothing else is said: one for each core (docs/scaling.md)."""
    return min(os.cpu_count() or 1, MOST_WORKERS)


class Mailbox(Child):
    """The page that shows the mails in a folder."""

    def __init__(self, folder: Path, port: int, log: Path) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        command = (sys.executable, "-m", "localshop.mailbox", folder, str(port))
        super().__init__("mailbox", command, log=log, stop_signal=signal.SIGKILL)  # it has nothing to lose

    def start(self) -> None:
        """Start the page and wait until it listens."""
        self.launch()
        while self.running:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            pause(0.05)
        raise self.trouble("does not start")


def _quietly(_part: str, _what: str) -> None:
    """Discard the message."""


class Shop:
    """A whole shop on loopback: `with Shop(folder, user_port=..., order_port=...) as shop:` runs it.

    `user`, `order` and `postgres` can each be stopped, killed (-9) and started again. `postgres` is None when
    `databases` names others to use instead, user-service's first. `environment` is added to both services' own. With a
    `mailbox_port` the shop also runs its job workers, the page of the mails that they write below `data`, and the test
    page for payments, unless PAYMENT_PROVIDER says otherwise.
    """

    def __init__(
        self,
        data: Path,
        *,
        user_port: int,
        order_port: int,
        mailbox_port: int | None = None,
        databases: tuple[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        order_workers: int = 1,
        say: Callable[[str, str], None] = _quietly,
    ) -> None:
        embedded = Postgres(data / "postgres", data / "logs" / "postgres.log")
        user_database, order_database = databases or (None, None)
        mail = data / "mail"
        common = {
            "USER_SERVICE_URL": f"http://127.0.0.1:{user_port}",
            "MAIL_DIR": str(mail),
            **(environment or {}),
        }
        self.data = data
        self.postgres = None if databases else embedded
        self._embedded = embedded
        of_users = {"SIBLING_PORT": str(order_port), "PUBLIC_URL": f"http://127.0.0.1:{user_port}", **common}
        self.user = self._service("user-service", user_port, user_database, of_users)
        payments = {"PAYMENT_PROVIDER": os.environ.get("PAYMENT_PROVIDER", "test")} if mailbox_port else {}
        public_url = f"http://127.0.0.1:{order_port}"
        sized = {"WORKERS": str(order_workers), **payments}
        of_orders = {"SIBLING_PORT": str(user_port), "PUBLIC_URL": public_url, **sized, **common}
        self.order = self._service("order-service", order_port, order_database, of_orders)
        ports = free_ports(2) if mailbox_port else ()
        self.workers = tuple(service.job_worker(port) for service, port in zip(self.services, ports, strict=False))
        self.mailbox = Mailbox(mail, mailbox_port, data / "logs" / "mailbox.log") if mailbox_port else None
        self._say = say
        self._undo = ExitStack()

    def _service(self, name: str, port: int, database_url: str | None, environment: Mapping[str, str]) -> Service:
        """Return a service on the given database, or on the embedded one with a role for migrations."""
        log, role = self.data / "logs" / f"{name}.log", name.replace("-", "_")
        migrating = {"DATABASE_URL": self._embedded.url(role, owner_of(role)), "APP_ROLE": role}
        return Service(
            name,
            port=port,
            database_url=database_url or self._embedded.url(role, role),
            log=log,
            environment=environment,
            migrating=None if database_url else migrating,
        )

    @property
    def services(self) -> tuple[Service, Service]:
        return self.user, self.order

    @property
    def parts(self) -> tuple[Child, ...]:
        parts = (self.postgres, *self.services, *self.workers, self.mailbox)
        return tuple(part for part in parts if part is not None)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything, in order; when a step fails, stop what has started."""
        with ExitStack() as undo:
            undo.enter_context(claimed(self.data))
            for service, variable in zip(self.services, PORT_VARIABLES, strict=True):
                require_free(service.port, variable)
            if self.mailbox:
                require_free(self.mailbox.port, "MAILBOX_PORT")
            undo.callback(self._stop_parts)
            try:
                self._start_parts()
            except (OSError, psycopg.Error) as failure:
                raise Trouble(f"{self.data} cannot be used: {failure}") from failure
            self._undo = undo.pop_all()

    def stop(self) -> None:
        """Stop the services, then PostgreSQL."""
        self._undo.close()

    def kill(self) -> None:
        """Kill everything with SIGKILL; `start()` starts it again."""
        for part in self.parts:
            part.kill()
        self._undo.close()

    def erase(self) -> None:
        """Delete all data of a shop that is not running."""
        with ExitStack() as undo:
            if self.data.is_dir():
                undo.enter_context(claimed(self.data))
                self._embedded.end_leftover()
                erase(self._embedded.sockets)
            erase(self.data)

    def import_catalog(self, file: Path) -> int:
        """Import a catalogue into the running shop, with a progress bar; return the exit code."""
        if why_unreachable(self.order.database_url) or not self.order.is_ready():
            raise Trouble("the shop is not running: start it with `make up`, then import from another terminal")
        return self.order.run_in_terminal("catalog", "import", file.resolve())

    def wait(self) -> Child:
        """Wait until a process ends unexpectedly; return it."""
        while True:
            for part in self.parts:
                if not part.running:
                    return part
            pause(0.2)

    def _start_parts(self) -> None:
        (self.data / "logs").mkdir(exist_ok=True)
        self._open_databases()
        for service in self.services:
            self._open(service)
        for service in self.services:
            service.wait_until_ready()
            self._say(service.name, "ready")
        if self.mailbox:
            self._start_background(self.mailbox)

    def _start_background(self, mailbox: Mailbox) -> None:
        for worker in self.workers:
            worker.launch()
        for worker in self.workers:
            worker.wait_until_ready()
        mailbox.start()
        self._say("mailbox", f"shows the mails on {mailbox.url}")

    def _open_databases(self) -> None:
        if self.postgres is None:
            for service in self.services:
                if reason := why_unreachable(service.database_url):
                    raise Trouble(f"the database given for {service.name} does not answer: {reason}")
            self._say("PostgreSQL", "using the servers that the environment names")
            return
        self._say("PostgreSQL", f"{'creating' if self.postgres.is_new else 'starting'} {self.postgres.folder}")
        self.postgres.start()
        self.postgres.create_databases("user_service", "order_service")
        self._say("PostgreSQL", f"version {VERSION} is running")

    def _open(self, service: Service) -> None:
        self._say(service.name, "migrating its database")
        self._say(service.name, service.run("migrate").removeprefix(f"{service.name}: "))
        if service is self.order:
            self._say("catalogue", service.run("catalog", "import", "--if-empty", DEMO_CATALOG))
            self._say("shipping", service.run("shipping", "import", "--if-empty", DEMO / "shipping.csv"))
            self._say("tax", service.run("tax", "import", "--if-empty", DEMO / "tax.csv"))
        self._say(service.name, f"starting on {service.url}")
        service.launch()

    def _stop_parts(self) -> None:
        if running := [part.name for part in reversed(self.parts) if part.running]:
            self._say("stopping", ", ".join(running))
        for service in (*self.services, *self.workers):
            service.ask_to_stop()
        for part in reversed(self.parts):
            part.stop()
