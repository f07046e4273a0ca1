"""Verify bearer tokens and return the caller that they name."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Protocol

from itsdangerous import BadData, URLSafeTimedSerializer

from chassis.context import Caller, Services
from chassis.problems import InvalidToken, Unauthenticated

SALT = "user-auth"
LEEWAY_SECONDS = 90  # what the clocks of two services may differ by
_SCHEME = "Bearer "
_LONGEST_TOKEN = 4096
_MOST_CACHED = 10_000
CACHED_SECONDS = 60  # what a withdrawn key has signed is refused after this long, whatever it says itself


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
    """Keep verified tokens for a while: a dictionary look-up in place of a verification."""

    def __init__(self, verifier: TokenVerifier, clock: Callable[[], float] = time.time) -> None:
        self._verifier = verifier
        self._clock = clock
        self._cache: dict[str, tuple[Caller, float]] = {}

    def caller(self, token: str) -> Caller:
        """Return the caller that the token names; raise InvalidToken."""
        cached = self._cache.get(token)
        return cached[0] if cached and cached[1] > self._clock() else self._verify(token)

    def _verify(self, token: str) -> Caller:
        self._cache.pop(token, None)
        caller, expires_at = self._verifier.verify(token)
        if len(self._cache) >= _MOST_CACHED:
            self._cache.clear()  # bounds the memory; a token in use is back after one verification
        self._cache[token] = caller, min(expires_at, self._clock() + CACHED_SECONDS)
        return caller


def bearer_token(authorization: str) -> str:
    """Return the token of an Authorization header, the only place that one is read from."""
    token = authorization[len(_SCHEME) :].strip()
    if not token or authorization[: len(_SCHEME)].lower() != _SCHEME.lower():
        raise Unauthenticated
    if len(token) > _LONGEST_TOKEN:
        raise InvalidToken
    return token


def require_user(services: Services, authorization: str) -> Caller:
    """Return the caller that the token names; raise Unauthenticated or InvalidToken."""
    return services.tokens.caller(bearer_token(authorization))
