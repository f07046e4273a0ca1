"""Sign and verify JWTs with Ed25519 keys."""

from __future__ import annotations

import time
from typing import Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.auth.tokens import LEEWAY_SECONDS
from chassis.context import Caller
from chassis.problems import InvalidToken

ALGORITHM = "EdDSA"
_REQUIRED = ["iss", "aud", "sub", "sid", "iat", "exp"]


class PublicKeys(Protocol):
    def find(self, kid: str) -> Ed25519PublicKey | None:
        """Return the public key with this id, or None."""


class PrivateKeys(Protocol):
    def signing(self) -> tuple[str, Ed25519PrivateKey]:
        """Return the id and the private key of the current signing key."""


class JwtVerifier:
    def __init__(self, keys: PublicKeys, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def verify(self, token: str) -> tuple[Caller, float]:
        try:
            key = self._keys.find(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                raise InvalidToken
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED, "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError) as failure:
            raise InvalidToken from failure
        caller = Caller(claims["sub"], str(claims.get("preferred_username", "")), str(claims["sid"]))
        return caller, claims["exp"] + LEEWAY_SECONDS


class JwtSigner:
    def __init__(self, keys: PrivateKeys, *, issuer: str, audience: str, ttl_seconds: int) -> None:
        self._keys = keys
        self._issued = {"iss": issuer, "aud": audience}
        self._ttl = ttl_seconds

    def sign(self, caller: Caller) -> str:
        kid, key = self._keys.signing()
        now = int(time.time())
        subject = {"sub": caller.user_id, "preferred_username": caller.username, "sid": caller.session_id}
        claims = {**self._issued, **subject, "iat": now, "exp": now + self._ttl}
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid})
