"""The express lane shows the profile as the framework does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from chassis.testing.postgres import both_roads, without_framework

Call = Callable[..., Any]


def test_the_profile_is_shown_without_the_framework_and_alike(app: Flask, register: Call, login: Call) -> None:
    register("alice", name="Alice")
    headers = {"Authorization": f"Bearer {login('alice').json['token']}"}
    app.test_client().get("/profile", headers=headers)  # the token is known from here on
    with without_framework(app):
        assert app.test_client().get("/profile", headers=headers).json["name"] == "Alice"
    express, ordinary = both_roads(app, "GET", "/profile", headers=headers)
    assert (express, express.status) == (ordinary, 200)


def test_a_session_that_ended_sees_nothing_on_either_road(app: Flask, register: Call, login: Call, run: Call) -> None:
    register("alice")
    headers = {"Authorization": f"Bearer {login('alice').json['token']}"}
    assert app.test_client().get("/profile", headers=headers).status_code == 200
    run("UPDATE sessions SET ended_at = now()")
    express, ordinary = both_roads(app, "GET", "/profile", headers=headers)
    assert (express, express.status) == (ordinary, 401)
