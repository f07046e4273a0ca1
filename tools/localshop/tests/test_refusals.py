"""Invalid starts are refused with one line before any process starts."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from localshop.preflight import claimed

Localshop = Callable[..., Result]
LAST_RESORT = "if nothing else helps, `make reset` deletes all data and starts over"


def only_line(result: Result) -> str:
    """Return the only line of an error message."""
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


@pytest.mark.parametrize("which", [0, 1])
def test_a_port_in_use_is_named_with_the_program_that_holds_it(
    localshop: Localshop, data: Path, ports: tuple[int, int], which: int
) -> None:
    with socket.create_server(("127.0.0.1", ports[which])):
        line = only_line(localshop("up"))

    assert line.startswith(f"port {ports[which]} is in use by ")
    variable = ("USER_PORT", "ORDER_PORT")[which]
    assert line.endswith(f" (process {os.getpid()}): stop that, or set {variable} to another port")
    assert list(data.iterdir()) == []


@pytest.mark.parametrize("port", ["5001", "0", "65536", "http"])
def test_wrong_or_equal_ports_of_the_environment_are_refused(
    localshop: Localshop, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("USER_PORT", port)
    monkeypatch.setenv("ORDER_PORT", "5001")

    refused = localshop("up", ports=())

    assert refused.exit_code != 0
    assert "USER_PORT" in refused.stderr


def test_a_port_taken_on_all_addresses_is_in_use_too(localshop: Localshop, ports: tuple[int, int]) -> None:
    with socket.create_server(("0.0.0.0", ports[0])):
        line = only_line(localshop("up"))

    assert line.startswith(f"port {ports[0]} is in use by ")


def test_a_second_up_on_the_same_data_is_refused(localshop: Localshop, data: Path) -> None:
    with claimed(data):
        line = only_line(localshop("up"))

    assert line == f"the shop is running already with its data in {data}: stop it first, with Ctrl-C"


@pytest.mark.parametrize(
    ("version", "complaint"),
    [
        (b"16\n", "was made by PostgreSQL 16 and PostgreSQL 18 cannot use it: move it away"),
        (b"\x00\xffgarbage", "is damaged and PostgreSQL 18 cannot use it: restore it from a backup"),
        (None, "is damaged and PostgreSQL 18 cannot use it: restore it from a backup"),
    ],
)
def test_a_postgres_folder_that_18_cannot_use_is_kept_and_refused(
    localshop: Localshop, data: Path, version: bytes | None, complaint: str
) -> None:
    folder = own_postgres_folder(data)
    if version is not None:
        (folder / "PG_VERSION").write_bytes(version)

    line = only_line(localshop("up"))

    assert line == f"{folder} {complaint}; {LAST_RESORT}"
    assert folder.is_dir()


def test_incomplete_postgres_folder_is_refused_with_its_own_message(localshop: Localshop, data: Path) -> None:
    folder = own_postgres_folder(data)
    (folder / "PG_VERSION").write_text("18\n")

    line = only_line(localshop("up"))

    assert line.startswith(f"PostgreSQL cannot start on {folder}: ")
    assert "postgresql.conf" in line
    assert line.endswith(f"; {LAST_RESORT}")


def test_a_postgres_folder_of_another_user_is_refused(localshop: Localshop, data: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    folder = own_postgres_folder(data)
    os.chown(folder, 4711, 4711)

    line = only_line(localshop("up"))

    assert line.startswith(f"{folder} belongs to user 4711, not ")


def test_a_file_in_place_of_the_data_folder_is_refused(localshop: Localshop, data: Path) -> None:
    data.write_text("")

    line = only_line(localshop("up"))

    assert line == f"{data} cannot be the data folder: File exists; move it away"


def test_a_file_in_place_of_the_logs_is_refused(localshop: Localshop, data: Path) -> None:
    data.mkdir()
    (data / "logs").touch()

    line = only_line(localshop("up"))

    assert line.startswith(f"{data} cannot be used: ")
    assert line.endswith(f"File exists: '{data / 'logs'}'")


@pytest.mark.parametrize("name", ["USER_DATABASE_URL", "ORDER_DATABASE_URL"])
def test_one_database_url_without_the_other_is_refused(
    localshop: Localshop, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "postgresql://localhost/shop")

    line = only_line(localshop("up"))

    assert line == "set both USER_DATABASE_URL and ORDER_DATABASE_URL, or neither"


def test_a_database_that_does_not_answer_is_named_without_its_password(
    localshop: Localshop, ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER_DATABASE_URL", "ORDER_DATABASE_URL"):
        monkeypatch.setenv(name, f"postgresql://shop:hush-hush@127.0.0.1:{ports[0]}/shop")

    result = localshop("up")

    assert only_line(result).startswith("the database given for user-service does not answer: ")
    assert "Connection refused" in result.stderr
    assert "hush-hush" not in result.output


def test_reset_refuses_while_the_shop_runs(localshop: Localshop, data: Path) -> None:
    with claimed(data):
        (data / "kept").touch()
        line = only_line(localshop("reset"))

    assert line.startswith("the shop is running already")
    assert (data / "kept").exists()


@pytest.mark.parametrize("kind", ["folder", "file", "nothing"])
def test_reset_deletes_folders_and_files(localshop: Localshop, data: Path, kind: str) -> None:
    if kind == "folder":
        own_postgres_folder(data)
    elif kind == "file":
        data.write_text("")

    result = localshop("reset")

    assert result.exit_code == 0
    assert not data.exists()


def test_missing_catalogue_file_is_named(localshop: Localshop) -> None:
    assert only_line(localshop("catalog", "no-such.csv")) == "there is no file no-such.csv"


def test_a_catalogue_is_imported_into_a_running_shop_only(localshop: Localshop, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.touch()

    line = only_line(localshop("catalog", str(file)))

    assert line == "the shop is not running: start it with `make up`, then import from another terminal"


def own_postgres_folder(data: Path) -> Path:
    """Create an empty PostgreSQL folder owned by PostgreSQL's account."""
    from localshop.postgres import Postgres, account_for

    folder = Postgres(data / "postgres", data / "log").folder
    folder.mkdir(parents=True, mode=0o700)
    if account := account_for(folder):
        os.chown(folder, account.pw_uid, account.pw_gid)
    return folder
