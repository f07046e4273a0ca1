"""Helpers for tests over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
    user_id: str = "u-1", username: str = "alice", session_id: str = "s-1", secret: str = LOCAL_SECRET
) -> dict[str, str]:
    """Return an Authorization header with a valid demo token."""
    token = DemoTokens((secret,), 900).sign(Caller(user_id, username, session_id))
    return {"Authorization": f"Bearer {token}"}
