from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.settings import LOCAL_SECRET

Headers = dict[str, str]
SERVICE = {"Authorization": f"Bearer {LOCAL_SECRET}"}


def listed(client: FlaskClient, who: Headers) -> Any:
    answer = client.get("/sessions", headers=who)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_delete_ends_one_session_only(client: FlaskClient, alice: Headers, sign_in: Callable[..., Headers]) -> None:
    phone, laptop = sign_in("alice"), sign_in("alice")
    phone_id = next(session["id"] for session in listed(client, phone) if session["current"])
    assert client.delete(f"/sessions/{phone_id}", headers=laptop).status_code == 204
    assert client.get("/profile", headers=phone).status_code == 401
    assert client.get("/sessions", headers=phone).status_code == 401
    assert len(listed(client, laptop)) == 2
    assert client.delete(f"/sessions/{phone_id}", headers=laptop).status_code == 404


def test_ended_session_cannot_end_other_sessions(
    client: FlaskClient, alice: Headers, sign_in: Callable[..., Headers]
) -> None:
    phone = sign_in("alice")
    client.post("/logout", headers=phone)
    assert client.delete("/sessions", headers=phone).status_code == 401
    (session,) = listed(client, alice)
    assert client.delete(f"/sessions/{session['id']}", headers=phone).status_code == 401
    assert client.get("/profile", headers=alice).status_code == 200


def feed(client: FlaskClient, after: int = 0, limit: int = 1000) -> Any:
    answer = client.get(f"/ended-sessions?after={after}&limit={limit}", headers=SERVICE)
    assert answer.status_code == 200, answer.text
    return answer.json


ENDS: dict[str, Callable[[FlaskClient, Headers, Any], Any]] = {
    "signing out": lambda client, who, _: client.post("/logout", headers=who),
    "ending it from elsewhere": lambda client, _, other: client.delete("/sessions", headers=other),
    "a new password": lambda client, _, other: client.post(
        "/profile/password",
        json={"current_password": "correct horse", "new_password": "battery staple 9"},
        headers=other,
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_every_way_to_end_a_session_appears_in_the_feed(
    client: FlaskClient, alice: Headers, sign_in: Callable[..., Headers], how: str
) -> None:
    phone = sign_in("alice")
    phone_id = next(session["id"] for session in listed(client, phone) if session["current"])
    other = sign_in("alice")
    ENDS[how](client, phone, other)
    ended = [ending["session_id"] for ending in feed(client)["endings"]]
    assert phone_id in ended
    assert client.get("/profile", headers=phone).status_code == 401


def test_a_refresh_token_used_twice_is_in_the_feed(
    client: FlaskClient, register: Callable[..., Any], login: Callable[..., Any], refresh: Callable[..., Any]
) -> None:
    register("alice")
    spent = login("alice").json["refresh_token"]
    refresh(spent)
    assert feed(client)["endings"] == []
    refresh(spent, HTTP_USER_AGENT="another")
    assert len(feed(client)["endings"]) == 1


def test_a_deleted_account_is_in_the_feed_with_its_sessions(client: FlaskClient, alice: Headers) -> None:
    user_id = client.get("/profile", headers=alice).json["id"]  # type: ignore[index]
    client.delete("/profile", json={"password": "correct horse"}, headers=alice)
    endings = feed(client)["endings"]
    assert {(ending["user_id"], bool(ending["session_id"])) for ending in endings} == {(user_id, False), (None, True)}


def test_feed_continues_after_a_version_in_pages(
    client: FlaskClient, alice: Headers, sign_in: Callable[..., Headers]
) -> None:
    for _ in range(5):
        client.post("/logout", headers=sign_in("alice"))
    first = feed(client, limit=3)
    rest = feed(client, after=first["version"], limit=3)
    versions = [ending["version"] for ending in first["endings"] + rest["endings"]]
    assert len(versions) == 5
    assert versions == sorted(versions)
    assert feed(client, after=rest["version"]) == {"version": rest["version"], "endings": []}


def test_feed_versions_follow_the_order_of_commits(
    client: FlaskClient, app: Flask, alice: Headers, sign_in: Callable[..., Headers]
) -> None:
    sessions = [sign_in("alice") for _ in range(16)]
    seen: list[int] = []
    version = 0
    with ThreadPoolExecutor(8) as pool:
        ending = [pool.submit(app.test_client().post, "/logout", headers=who) for who in sessions]
        while len(seen) < len(sessions):
            page = feed(client, after=version)
            seen += [entry["version"] for entry in page["endings"]]
            version = page["version"]
        assert {future.result().status_code for future in ending} == {204}
    assert seen == sorted(seen)
    assert len(seen) == len(sessions)


def test_session_id_in_a_path_is_not_trimmed(client: FlaskClient, alice: Headers) -> None:
    session_id = client.get("/sessions", headers=alice).json[0]["id"]
    assert client.delete(f"/sessions/{session_id}%20", headers=alice).status_code == 404
    assert client.delete(f"/sessions/{session_id}", headers=alice).status_code == 204
