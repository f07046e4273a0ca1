"""Run PgBouncer with docs/pgbouncer.ini in front of running databases, for tests and measurements."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from localshop import ROOT
from localshop.child import Child
from localshop.postgres import account_for, make_private_folder
from localshop.signals import pause

CONFIGURATION = ROOT / "docs/pgbouncer.ini"
START_SECONDS = 10


def program() -> str | None:
    """Return the path of PgBouncer; also search /usr/sbin, where Debian installs it."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


def keeps_prepared_statements() -> bool:
    """Tell whether this PgBouncer supports prepared statements in transaction mode: 1.22 or newer."""
    said = subprocess.run([program() or "pgbouncer", "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = re.findall(r"\d+", said)[:2]
    return (int(major), int(minor)) >= (1, 22)


class PgBouncer(Child):
    """A pooler on loopback without authentication; it connects as the user of the database's URL."""

    def __init__(self, folder: Path, *, port: int, databases: Mapping[str, str], **settings: int) -> None:
        """Map the file's databases to the URLs of `databases`; `settings` override the file's."""
        self.port = port
        self._folder = folder
        self._databases = databases
        self._settings = settings
        command = (program() or "pgbouncer", "-q", str(folder / "pgbouncer.ini"))
        # Other signals differ between versions; PgBouncer has no data to lose.
        super().__init__("PgBouncer", command, log=folder.with_suffix(".log"), stop_signal=signal.SIGKILL)

    def url(self, database: str) -> str:
        return f"postgresql://anybody@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start PgBouncer and wait until it listens; the databases need not run yet."""
        account = account_for(self._folder)
        if not self._folder.exists():
            make_private_folder(self._folder, account)
        with (self._folder / "pgbouncer.ini").open("w") as file:
            self._configuration().write(file)
        self.launch(account)
        self._wait_until_it_listens()

    def _configuration(self) -> ConfigParser:
        ini = ConfigParser(interpolation=None, delimiters=("=",))
        ini.read(CONFIGURATION)
        for name, url in self._databases.items():
            told = ini["databases"][name].partition("connect_query=")[2]
            ini["databases"][name] = f"{_place(url)} connect_query={told}"
        if not keeps_prepared_statements():
            ini.remove_option("pgbouncer", "max_prepared_statements")
        ini.remove_option("pgbouncer", "auth_file")
        here = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "any"}
        ini["pgbouncer"].update({key: str(value) for key, value in (here | self._settings).items()})
        return ini

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            pause(0.05)
        raise self.trouble("does not start")


def _place(url: str) -> str:
    """Return a URL's host, port, database and user as PgBouncer's connection string."""
    wanted = ("host", "port", "dbname", "user", "password")
    return " ".join(f"{name}={value}" for name, value in conninfo_to_dict(url).items() if name in wanted)
