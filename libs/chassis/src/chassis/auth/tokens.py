"""Verify bearer tokens and return the caller that they name."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Protocol

from itsdangerous import BadData, URLSafeTimedSerializer

from chassis.auth.roles import read_roles
from chassis.context import Caller, Services
from chassis.problems import InvalidToken, Unauthenticated

SALT = "user-auth"
ISSUED_LEEWAY_SECONDS = 90  # by how much the issuer's clock may be ahead: a token from the future still verifies
EXPIRED_LEEWAY_SECONDS = 5  # for how long an expired token still verifies; each second is one more for a stolen token
_SCHEME = "Bearer "
_LONGEST_TOKEN = 4096
_MOST_CACHED = 10_000
CACHED_SECONDS = 60  # tokens of a withdrawn key are refused after this time, even before they expire


class TokenVerifier(Protocol):
    def verify(self, token: str) -> tuple[Caller, float]:
        """Return the caller and the time (Unix seconds) at which the token expires; raise InvalidToken."""

    def read_signed(self, token: str) -> tuple[Caller, float]:
        """Return the same, also of a token that has expired; raise InvalidToken."""


def serializer(secrets: tuple[str, ...]) -> URLSafeTimedSerializer:
    """Return a serializer that signs with the first secret and verifies with any."""
    return URLSafeTimedSerializer(
        list(reversed(secrets)), salt=SALT, signer_kwargs={"digest_method": hashlib.sha256}
    )  # itsdangerous signs with the last of its keys


class DemoTokens:
    """Sign and verify `itsdangerous` tokens with a secret that both services share."""

    def __init__(self, secrets: tuple[str, ...], ttl_seconds: int) -> None:
        self._serializer = serializer(secrets)
        self._ttl = ttl_seconds

    def sign(self, caller: Caller) -> str:
        claims = {"sub": caller.user_id, "username": caller.username, "sid": caller.session_id}
        signed = self._serializer.dumps(claims | ({"roles": caller.roles} if caller.roles else {}))
        return signed if isinstance(signed, str) else signed.decode()

    def verify(self, token: str) -> tuple[Caller, float]:
        caller, expires_at = self.read_signed(token)
        if not time.time() < expires_at:
            raise InvalidToken
        return caller, expires_at

    def read_signed(self, token: str) -> tuple[Caller, float]:
        # Not max_age: the library refuses a token signed by a clock that is one second ahead.
        try:
            claims, signed_at = self._serializer.loads(token, return_timestamp=True)
            caller = Caller(claims["sub"], claims["username"], claims["sid"], read_roles(claims))
        except (BadData, KeyError, TypeError, ValueError) as failure:
            raise InvalidToken from failure
        if not signed_at.timestamp() - ISSUED_LEEWAY_SECONDS <= time.time():
            raise InvalidToken
        return caller, signed_at.timestamp() + self._ttl + EXPIRED_LEEWAY_SECONDS


class CachingVerifier:
    """Cache the callers of verified tokens for CACHED_SECONDS at most."""

    def __init__(self, verifier: TokenVerifier, clock: Callable[[], float] = time.time) -> None:
        self._verifier = verifier
        self._clock = clock
        self._cache: dict[str, tuple[Caller, float]] = {}

    def caller(self, token: str) -> Caller:
        """Return the caller that the token names; raise InvalidToken."""
        cached = self._cache.get(token)
        return cached[0] if cached and cached[1] > self._clock() else self._verify(token)

    def read_signed(self, token: str) -> tuple[Caller, float]:
        """Return the caller and the time of expiry of a correctly signed token, also an expired one.

        It tells whose the token was, and allows nothing. Raise InvalidToken.
        """
        _refuse_long(token)
        return self._verifier.read_signed(token)

    def _verify(self, token: str) -> Caller:
        self._cache.pop(token, None)
        _refuse_long(token)
        caller, expires_at = self._verifier.verify(token)
        if len(self._cache) >= _MOST_CACHED:
            self._cache.clear()  # bounds the memory; each token costs one more verification
        self._cache[token] = caller, min(expires_at, self._clock() + CACHED_SECONDS)
        return caller


def _refuse_long(token: str) -> None:
    if len(token) > _LONGEST_TOKEN:
        raise InvalidToken


def bearer_token(authorization: str) -> str:
    """Return the token of an Authorization header; raise Unauthenticated."""
    token = authorization[len(_SCHEME) :].strip()
    if not token or authorization[: len(_SCHEME)].lower() != _SCHEME.lower():
        raise Unauthenticated
    return token


def require_user(services: Services, authorization: str) -> Caller:
    """Return the caller that the token names; raise Unauthenticated or InvalidToken."""
    return services.tokens.caller(bearer_token(authorization))
