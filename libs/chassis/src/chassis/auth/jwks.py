"""Download and keep the Ed25519 public keys of another service, a JWK set (RFC 7517).

PyJWKClient caches the set and fetches it again for an unknown key id, at most once per cooldown. Added here: a pause
after a failed fetch, the limits of the service client (no redirects, bounded size and time), and look-ups of cached
keys that do not wait for another thread's fetch.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import suppress
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt import PyJWK, PyJWKClient, PyJWKSet
from jwt.exceptions import PyJWKClientError, PyJWTError

from chassis.problems import Unavailable
from chassis.service_client import ServiceCallFailed, ServiceClient

log = logging.getLogger(__name__)

PATH = "/.well-known/jwks.json"
UNKNOWN_KEY_COOLDOWN_SECONDS = 1
FAILURE_COOLDOWN_SECONDS = 5


class RemoteKeys(PyJWKClient):
    def __init__(self, issuer: ServiceClient) -> None:
        # The library requires a URL for its own HTTP client, which fetch_data replaces. The set never expires:
        # cached keys stay valid while the issuer is down.
        super().__init__(f"https://issuer{PATH}", lifespan=math.inf, cooldown_duration=UNKNOWN_KEY_COOLDOWN_SECONDS)
        self._issuer = issuer
        self._paused_until = -math.inf

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """Return the public key with this id, or None; raise Unavailable before the first successful fetch."""
        key = self.match_kid(self._known, kid)
        if key is None:
            with suppress(ServiceCallFailed, PyJWKClientError):
                key = self.get_signing_key(kid)
        if not self._known:
            raise Unavailable("tokens cannot be verified yet, try again")
        return key.key if key else None

    def refresh(self) -> None:
        """Fetch the key set and replace the cached one; on failure keep it and raise ServiceCallFailed.

        Ignores the pause after a failure: the caller limits its own rate.
        """
        self._paused_until = -math.inf
        self.get_jwk_set(refresh=True)

    def fetch_data(self) -> PyJWKSet:
        if time.monotonic() < self._paused_until:
            raise ServiceCallFailed("the JWK set could not be fetched a moment ago")
        try:
            return _parse(self._issuer.get(PATH))
        except ServiceCallFailed as failure:
            self._paused_until = time.monotonic() + FAILURE_COOLDOWN_SECONDS
            log.warning("jwks_not_refreshed", extra={"failure": str(failure)})
            raise

    @property
    def _known(self) -> list[PyJWK]:
        jwks = self.jwk_set_cache and self.jwk_set_cache.get()
        return jwks.keys if jwks else []


def _parse(document: dict[str, Any]) -> PyJWKSet:
    try:
        jwks = PyJWKSet.from_dict(document)
    except (PyJWTError, AttributeError, KeyError, TypeError) as failure:
        raise ServiceCallFailed("the answer is not a JWK set") from failure
    jwks.keys = [key for key in jwks if _verifies_tokens(key)]
    if not jwks.keys:
        raise ServiceCallFailed("the JWK set holds no public Ed25519 key")
    return jwks


def _verifies_tokens(key: PyJWK) -> bool:
    return isinstance(key.key_id, str) and key.public_key_use in ("sig", None) and isinstance(key.key, Ed25519PublicKey)
