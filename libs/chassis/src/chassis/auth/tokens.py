"""Verify a bearer token and tell who is calling."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple, Protocol, TypeVar

from flask import current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer

from chassis.problems import InvalidToken, Unauthenticated

SALT = "user-auth"
LEEWAY_SECONDS = 90  # what the clocks of two services may differ by
_SCHEME = "Bearer "
_LONGEST_TOKEN = 4096
_MOST_REMEMBERED = 10_000
CACHED_SECONDS = 60  # what a withdrawn key has signed is refused after this long, whatever it says itself


class Caller(NamedTuple):
    """Who a verified token speaks for."""

    user_id: str
    username: str
    session_id: str


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


class TokenVerifier(Protocol):
    def verify(self, token: str) -> tuple[Caller, float]:
        """Return the caller and the time (Unix seconds) at which the token expires; raise InvalidToken."""


def serializer(secrets: tuple[str, ...]) -> URLSafeTimedSerializer:
    """Sign with the first secret, verify with any."""
    return URLSafeTimedSerializer(
        list(reversed(secrets)), salt=SALT, signer_kwargs={"digest_method": hashlib.sha256}
    )  # itsdangerous signs with the last of its keys


class DemoTokens:
    """`itsdangerous` timed signatures under a secret that both services share."""

    def __init__(self, secrets: tuple[str, ...], ttl_seconds: int) -> None:
        self._serializer = serializer(secrets)
        self._ttl = ttl_seconds

    def sign(self, caller: Caller) -> str:
        signed = self._serializer.dumps({"sub": caller.user_id, "username": caller.username, "sid": caller.session_id})
        return signed if isinstance(signed, str) else signed.decode()

    def verify(self, token: str) -> tuple[Caller, float]:
        # Not by max_age: the library refuses a token from a clock that is a second ahead.
        try:
            claims, signed_at = self._serializer.loads(token, return_timestamp=True)
            caller = Caller(claims["sub"], claims["username"], claims["sid"])
        except (BadData, KeyError, TypeError, ValueError) as failure:
            raise InvalidToken from failure
        expires_at = signed_at.timestamp() + self._ttl + LEEWAY_SECONDS
        if not signed_at.timestamp() - LEEWAY_SECONDS <= time.time() < expires_at:
            raise InvalidToken
        return caller, expires_at


class CachingVerifier:
    """Remember verified tokens for a while: verifying again costs a dictionary look-up."""

    def __init__(self, verifier: TokenVerifier, clock: Callable[[], float] = time.time) -> None:
        self._verifier = verifier
        self._clock = clock
        self._known: dict[str, tuple[Caller, float]] = {}

    def recall(self, token: str) -> Caller | None:
        """Return the caller of a token that was verified a moment ago, or None: it may be as good as any."""
        known = self._known.get(token)
        return known[0] if known and known[1] > self._clock() else None

    def caller(self, token: str) -> Caller:
        return self.recall(token) or self._verify(token)[0]

    def _verify(self, token: str) -> tuple[Caller, float]:
        self._known.pop(token, None)
        caller, expires_at = self._verifier.verify(token)
        verified = caller, min(expires_at, self._clock() + CACHED_SECONDS)
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()  # bounded memory; what is still in use is back after one verification
        self._known[token] = verified
        return verified


def bearer_token() -> str:
    """Return the request's token; the Authorization header is the only place one is read from."""
    header: str = request.headers.get("Authorization", "")
    token = header[len(_SCHEME) :].strip()
    if not token or header[: len(_SCHEME)].lower() != _SCHEME.lower():
        raise Unauthenticated
    if len(token) > _LONGEST_TOKEN:
        raise InvalidToken
    return token


def enter() -> None:
    """Let a verified caller in, unless their session has ended; the hook of every signed-in blueprint."""
    known = current_app.extensions["tokens"].caller(bearer_token())
    if current_app.extensions["has_ended"](known.session_id):
        raise InvalidToken
    call_as(known)


def caller() -> Caller:
    """Return the verified caller of this request; only routes of a signed-in blueprint have one."""
    verified = _caller.get()
    assert verified is not None  # noqa: S101 - a route outside a signed-in blueprint is a bug
    return verified


def known_caller() -> Caller | None:
    """Return the verified caller of this request, or None while there is none."""
    return _caller.get()


_C = TypeVar("_C", Caller, None)


def call_as(caller: _C) -> _C:
    """Note whom this request speaks for; None: nobody that we know."""
    _caller.set(caller)
    return caller
