"""The embedded PostgreSQL, with real servers."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from localshop import Trouble
from localshop.postgres import Postgres
from localshop.shop import Shop

pytestmark = pytest.mark.e2e


@pytest.fixture
def server(data: Path) -> Iterator[Postgres]:
    data.mkdir()
    server = Postgres(data / "postgres", data / "postgres.log")
    yield server
    server.kill()


def one(server: Postgres, query: str, database: str = "postgres") -> object:
    with psycopg.connect(server.url(database)) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def test_new_server_has_durable_commits_and_unicode_rules(server: Postgres) -> None:
    server.start()
    server.create_databases("shop")
    server.create_databases("shop")  # exists already

    durable = [one(server, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")]
    assert durable == ["on", "on", "on"]
    assert one(server, "SHOW server_version").startswith("18.")  # type: ignore[attr-defined]
    assert one(server, "SHOW max_connections") == "200"
    assert one(server, "SHOW listen_addresses") == ""
    assert one(server, "SHOW server_encoding", "shop") == "UTF8"
    assert one(server, "SELECT lower('ÄΣ')", "shop") == "äσ"
    assert server.folder.stat().st_mode & 0o777 == 0o700


def test_killed_server_restarts_when_another_process_has_its_pid(server: Postgres) -> None:
    # given a killed server whose process number another process of its account has
    server.start()
    server.kill()
    owner = server.folder.stat().st_uid
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=owner) as stranger:
        pid_file = server.folder / "postmaster.pid"
        pid_file.write_text(pid_file.read_text().replace(pid_file.read_text().split()[0], str(stranger.pid), 1))

        server.start()

        assert one(server, "SELECT 1") == 1
        assert stranger.poll() is None


def test_leftover_server_is_stopped_and_its_data_is_kept(server: Postgres) -> None:
    # given a server whose shop was killed
    server.start()
    with psycopg.connect(server.url("postgres")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    forgotten = psutil.Process(server.pid)

    successor = Postgres(server.folder, server.log)
    successor.start()

    assert not forgotten.is_running() or forgotten.status() == psutil.STATUS_ZOMBIE
    assert one(successor, "SELECT answer FROM kept") == 42
    successor.stop()


def test_interrupted_initdb_is_repeated(server: Postgres) -> None:
    attempt = server.folder.with_name("postgres.new")
    attempt.mkdir()
    (attempt / "PG_VERSION").write_text("18\n")

    server.start()

    assert one(server, "SELECT 1") == 1
    assert not attempt.exists()


@pytest.mark.parametrize("name", ["long-" * 20, "a, b"])
def test_socket_of_a_long_path_is_elsewhere_and_reset_deletes_it(data: Path, ports: tuple[int, int], name: str) -> None:
    odd = data / name
    odd.mkdir(parents=True)
    server = Postgres(odd / "postgres", odd / "postgres.log")

    server.start()

    assert one(server, "SELECT 1") == 1
    assert server.sockets.parent == Path(tempfile.gettempdir())
    assert server.sockets.stat().st_mode & 0o777 == 0o700
    server.stop()
    Shop(odd, user_port=ports[0], order_port=ports[1]).erase()
    assert not server.sockets.exists()


@pytest.mark.parametrize("kind", [Path.mkdir, Path.touch])
def test_socket_folder_of_another_user_is_refused(
    data: Path, ports: tuple[int, int], kind: Callable[[Path], None]
) -> None:
    deep = data / ("long-" * 20)
    deep.mkdir(parents=True)
    server = Postgres(deep / "postgres", deep / "postgres.log")
    kind(server.sockets)
    if os.geteuid() == 0:
        os.chown(server.sockets, 4711, 4711)
    elif server.sockets.is_dir():
        pytest.skip("only root can give a folder away")

    with pytest.raises(Trouble, match="is someone else's: remove it"):
        server.start()

    Shop(deep, user_port=ports[0], order_port=ports[1]).erase()
    assert not server.sockets.exists()


def test_a_database_has_an_owner_and_a_role_that_may_not_alter_it(server: Postgres) -> None:
    # given
    server.start()
    server.create_databases("shop")

    # when
    with psycopg.connect(server.url("shop", "shop_owner")) as owner:
        owner.execute("CREATE TABLE things (name text)")

    # then
    with psycopg.connect(server.url("shop", "shop"), autocommit=True) as service:
        for forbidden in ("CREATE TABLE mine ()", "ALTER TABLE things ADD x text", "DROP TABLE things"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute(forbidden)
    assert (
        one(server, "SELECT bool_or(rolsuper OR rolcreatedb OR rolcreaterole) FROM pg_roles WHERE rolname ~ 'shop'")
        is False
    )


def test_older_database_without_roles_gets_its_owner(server: Postgres) -> None:
    # given
    server.start()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE shop")
    with psycopg.connect(server.url("shop")) as connection:
        connection.execute("CREATE TABLE things (name text)")

    # when
    server.create_databases("shop")

    # then
    with psycopg.connect(server.url("shop", "shop_owner")) as owner:
        owner.execute("ALTER TABLE things ADD price integer")
        owner.execute("CREATE TABLE more ()")


def test_server_that_does_not_answer_is_told_with_the_last_refusal(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localshop.postgres.START_SECONDS", 1)
    monkeypatch.setattr(Postgres, "url", lambda *_: "postgresql:///postgres?service=nowhere")

    with pytest.raises(Trouble, match=r'does not answer: .*definition of service "nowhere" not found'):
        server.start()
