"""JWTs: key commands, published keys, rotation."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from chassis.testing.http import closing
from user_service import create_app
from user_service.__main__ import cli
from user_service.accounts.passwords import Passwords
from user_service.settings import Settings

Keys = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def keys(file: Path) -> Keys:
    return lambda command, *options: CliRunner().invoke(cli, ["keys", command, str(file), *options])


@pytest.fixture
def jwt_client(client: FlaskClient, settings: Settings, file: Path, keys: Keys) -> Iterator[FlaskClient]:
    keys("generate")
    with closing(create_app(settings.model_copy(update={"token_kind": "jwt", "token_keys_file": file}))) as app:
        app.services.passwords = client.application.services.passwords
        yield app.test_client()


def signed_in(client: FlaskClient) -> dict[str, str]:
    account = {"username": "alice", "password": "correct horse"}
    client.post("/register", json=account)
    return {"Authorization": f"Bearer {client.post('/login', json=account).json['token']}"}  # type: ignore[index]


def kid(headers: dict[str, str]) -> Any:
    return jwt.get_unverified_header(headers["Authorization"].removeprefix("Bearer "))["kid"]


def published(client: FlaskClient) -> list[str]:
    answer = client.get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    return [key["kid"] for key in answer.json["keys"]]  # type: ignore[index]


def test_jwt_is_accepted_and_names_its_key(jwt_client: FlaskClient) -> None:
    alice = signed_in(jwt_client)
    assert jwt_client.get("/profile", headers=alice).json["username"] == "alice"  # type: ignore[index]
    assert [kid(alice)] == published(jwt_client)


def test_demo_token_is_refused_with_token_kind_jwt(jwt_client: FlaskClient, client: FlaskClient) -> None:
    assert jwt_client.get("/profile", headers=signed_in(client)).status_code == 401


def test_no_private_key_is_published(jwt_client: FlaskClient, file: Path) -> None:
    private = json.loads(file.read_text())["keys"][0]["d"]
    answer = jwt_client.get("/.well-known/jwks.json")
    assert private not in answer.text
    assert set(answer.json["keys"][0]) == {"kty", "crv", "x", "kid", "use", "alg"}  # type: ignore[index]


def test_the_demo_kind_publishes_no_key(client: FlaskClient) -> None:
    assert client.get("/.well-known/jwks.json").json == {"keys": []}


def test_new_key_is_published_before_it_signs_and_old_key_verifies(jwt_client: FlaskClient, keys: Keys) -> None:
    before = signed_in(jwt_client)
    keys("rotate", "--lead", "3600")
    old, new = published(jwt_client)
    assert kid(signed_in(jwt_client)) == old == kid(before)
    keys("rotate", "--lead", "0")
    now = signed_in(jwt_client)
    assert kid(now) not in {old, new}
    assert [jwt_client.get("/profile", headers=who).status_code for who in (before, now)] == [200, 200]


def test_a_key_is_retired_when_its_successor_has_signed_for_a_day(jwt_client: FlaskClient, keys: Keys) -> None:
    old = signed_in(jwt_client)
    keys("rotate", "--lead", "0")
    assert keys("retire").exit_code == 0
    assert len(published(jwt_client)) == 2
    keys("retire", "--after", "0")
    assert published(jwt_client) == [kid(signed_in(jwt_client))]
    assert published(jwt_client) != [kid(old)]


def test_retire_now_ends_the_tokens_of_a_stolen_key(
    client: FlaskClient, settings: Settings, jwt_client: FlaskClient, keys: Keys, file: Path
) -> None:
    stolen = signed_in(jwt_client)
    keys("rotate", "--lead", "0")
    assert keys("retire", "--now", kid(stolen)).exit_code == 0
    changed = settings.model_copy(update={"token_kind": "jwt", "token_keys_file": file})
    with closing(create_app(changed)) as restarted:
        restarted.services.passwords = Passwords()
        assert restarted.test_client().get("/profile", headers=stolen).status_code == 401


def test_only_the_owner_may_read_the_key_file(keys: Keys, file: Path) -> None:
    keys("generate")
    keys("rotate")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["keys.json"]


def test_an_existing_file_is_not_overwritten_and_the_last_key_not_removed(keys: Keys, file: Path) -> None:
    keys("generate")
    before = file.read_text()
    assert "exists already" in keys("generate").output
    only = json.loads(before)["keys"][0]["kid"]
    assert "rotate first" in keys("retire", "--now", only).output
    assert "no such key" in keys("retire", "--now", "k-9").output
    assert file.read_text() == before


@pytest.mark.parametrize("content", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "eA"}]}', None])
def test_a_service_does_not_start_on_a_file_without_keys(settings: Settings, file: Path, content: str | None) -> None:
    if content is not None:
        file.write_text(content)
    with pytest.raises(SystemExit, match="TOKEN_KEYS_FILE"):
        create_app(settings.model_copy(update={"token_kind": "jwt", "token_keys_file": file}))


def test_key_file_that_becomes_invalid_is_not_loaded(jwt_client: FlaskClient, file: Path) -> None:
    alice = signed_in(jwt_client)
    file.write_text("{")
    assert jwt_client.get("/profile", headers=alice).status_code == 200
    file.unlink()
    assert published(jwt_client) == [kid(signed_in(jwt_client))]
