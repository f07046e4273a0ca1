"""Helpers for tests over HTTP."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.auth.tokens import DemoTokens
from chassis.context import Caller
from chassis.http.openapi import Api
from chassis.settings import LOCAL_SECRET


@contextmanager
def closing(app: Api) -> Iterator[Api]:
    """Yield the app; close its services afterwards."""
    yield app
    app.services.close()


def bearer(
    user_id: str = "u-1",
    username: str = "alice",
    session_id: str = "s-1",
    roles: tuple[str, ...] = (),
    secret: str = LOCAL_SECRET,
) -> dict[str, str]:
    """Return an Authorization header with a valid demo token."""
    token = DemoTokens((secret,), 900).sign(Caller(user_id, username, session_id, roles))
    return {"Authorization": f"Bearer {token}"}


_FIELD_ERROR = re.compile(r'<p class="error" id="(\w+)-error">(.*?)</p>')
_FIELD = re.compile(r'<input id="(\w+)"[^>]*? value="(.*?)"')
_MESSAGE = re.compile(r'<p class="message \w+" role="\w+">(.*?)</p>')


def browser(app: Api, token: str = "") -> FlaskClient:
    """Return a client that asks for pages, keeps cookies and sends forms as the shop's own pages do."""
    client = app.test_client()
    client.environ_base |= {"HTTP_ACCEPT": "text/html", "HTTP_SEC_FETCH_SITE": "same-origin"}
    if token:
        client.set_cookie("shop-token", token)
    return client


def field_errors(answer: TestResponse) -> dict[str, str]:
    """Return what a page says beside its fields, by field."""
    return {name: html.unescape(text) for name, text in _FIELD_ERROR.findall(answer.text)}


def field_values(answer: TestResponse) -> dict[str, str]:
    """Return what stands in the fields of a page."""
    return {name: html.unescape(value) for name, value in _FIELD.findall(answer.text)}


def messages(answer: TestResponse) -> list[str]:
    """Return what a page says as a whole, such as that something is saved."""
    return [html.unescape(text) for text in _MESSAGE.findall(answer.text)]
