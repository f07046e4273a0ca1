"""The current request's context, and the base class of the objects that routes use."""

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
    """The user, the session and the roles that a verified token names."""

    user_id: str
    username: str
    session_id: str
    roles: tuple[str, ...] = ()


@dataclass(slots=True)
class RequestContext:
    """Identify a request, or one step of a background thread, in logs and calls."""

    request_id: str = ""
    client_address: str = ""
    user_agent: str = ""
    traceparent: str = ""
    caller: Caller | None = None
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    """Headers to add to the response, of success or error."""


_current: ContextVar[RequestContext] = ContextVar("request")
_OUTSIDE_REQUESTS = RequestContext()


def set_context(context: RequestContext) -> RequestContext:
    """Set this thread's context and return it."""
    _current.set(context)
    return context


def current_context() -> RequestContext:
    """Return this thread's context; outside requests, an empty one."""
    return _current.get(_OUTSIDE_REQUESTS)


def current_request_id() -> str:
    return current_context().request_id


def sign_in_is_available() -> bool:
    """Answer for a service that signs visitors in itself."""
    return True


def sessions_are_current() -> None:
    """Answer for a service that keeps the sessions itself, or does not know which have ended."""


def no_session_has_ended(_session_id: str) -> bool:
    """Answer for a service that does not know which sessions have ended."""
    return False


@dataclass(kw_only=True)
class Services:
    """Objects that the routes of a service use; each service adds its own."""

    settings: Settings
    database: Database
    tokens: CachingVerifier
    has_ended: Callable[[str], bool] = no_session_has_ended
    """Tell whether a session has ended; asked before every signed-in route that does not check it itself."""
    require_current_sessions: Callable[[], None] = sessions_are_current
    """Raise Unavailable while a session may have ended seconds ago without notice; asked before every staff route."""
    sign_in_available: Callable[[], bool] = sign_in_is_available
    """Tell whether pages may redirect a visitor to the pages that sign in."""

    def close(self) -> None:
        """Stop background threads and close idle connections."""
        self.database.close()
