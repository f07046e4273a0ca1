"""Sign and verify access tokens: JWTs (RFC 9068) with Ed25519 keys."""

from __future__ import annotations

import time
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.auth.roles import read_roles
from chassis.auth.tokens import EXPIRED_LEEWAY_SECONDS, ISSUED_LEEWAY_SECONDS
from chassis.context import Caller
from chassis.problems import InvalidToken

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
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
        return self._read(token, verify_exp=True)

    def read_signed(self, token: str) -> tuple[Caller, float]:
        return self._read(token, verify_exp=False)

    def _read(self, token: str, *, verify_exp: bool) -> tuple[Caller, float]:
        try:
            claims = self._claims(token, verify_exp=verify_exp)
        except (jwt.PyJWTError, ValueError, OverflowError) as failure:
            raise InvalidToken from failure
        # Not by the library, which has one leeway for all times.
        issued_at = claims["iat"]
        if not (isinstance(issued_at, int | float) and issued_at <= time.time() + ISSUED_LEEWAY_SECONDS):
            raise InvalidToken
        username = str(claims.get("preferred_username", ""))
        caller = Caller(claims["sub"], username, str(claims["sid"]), read_roles(claims))
        return caller, claims["exp"] + EXPIRED_LEEWAY_SECONDS

    def _claims(self, token: str, *, verify_exp: bool) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        key = self._keys.find(str(header.get("kid")))
        if key is None or not _is_access_token(header):
            raise InvalidToken
        return jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=self._issuer,
            audience=self._audience,
            leeway=EXPIRED_LEEWAY_SECONDS,
            options={"require": _REQUIRED, "strict_aud": True, "verify_iat": False, "verify_exp": verify_exp},
        )


def _is_access_token(header: dict[str, Any]) -> bool:
    """Return whether the token is of the type that RFC 9068 asks for; other JWTs of the issuer are no access tokens."""
    return str(header.get("typ")).lower() in {TYPE, f"application/{TYPE}"}


class JwtSigner:
    def __init__(self, keys: PrivateKeys, *, issuer: str, audience: str, ttl_seconds: int) -> None:
        self._keys = keys
        self._issued = {"iss": issuer, "aud": audience}
        self._ttl = ttl_seconds

    def sign(self, caller: Caller) -> str:
        kid, key = self._keys.signing()
        now = int(time.time())
        subject: dict[str, Any] = {
            "sub": caller.user_id,
            "preferred_username": caller.username,
            "sid": caller.session_id,
        }
        if caller.roles:
            subject["roles"] = list(caller.roles)
        claims = {**self._issued, **subject, "iat": now, "exp": now + self._ttl}
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid, "typ": TYPE})
