"""The request that this thread answers: its id, its client and its caller; and what a service gives its routes."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from chassis.auth.tokens import CachingVerifier
    from chassis.db.database import Database
    from chassis.settings import Settings


class Caller(NamedTuple):
    """The user and the session that a verified token names."""

    user_id: str
    username: str
    session_id: str


@dataclass(slots=True)
class RequestContext:
    """One request, or one step of a background thread."""

    request_id: str = ""
    client_address: str = ""
    user_agent: str = ""
    traceparent: str = ""
    caller: Caller | None = None
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    """Headers to add to the response, whatever it will be."""


_current: ContextVar[RequestContext] = ContextVar("request")
_OUTSIDE_REQUESTS = RequestContext()


def set_context(context: RequestContext) -> RequestContext:
    """Make `context` the one of this thread."""
    _current.set(context)
    return context


def current_context() -> RequestContext:
    """Return the context of the request that this thread answers; an empty one outside requests."""
    return _current.get(_OUTSIDE_REQUESTS)


def current_request_id() -> str:
    return current_context().request_id


def no_session_has_ended(_session_id: str) -> bool:
    """Answer for a service that does not know which sessions have ended."""
    return False


@dataclass(kw_only=True)
class Services:
    """What the routes of a service use; each service adds its own members."""

    settings: Settings
    database: Database
    tokens: CachingVerifier
    has_ended: Callable[[str], bool] = no_session_has_ended
    """Tell whether a session has ended; asked before every signed-in route that does not check it itself."""

    def close(self) -> None:
        """End background work and close the idle connections."""
        self.database.close()
