"""The public keys of another service, fetched from its JWKS and kept: parsed once, refreshed when needed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt import PyJWKSet
from jwt.exceptions import PyJWTError

from chassis.problems import Unavailable
from chassis.service_client import ServiceCallFailed, ServiceClient

log = logging.getLogger(__name__)

PATH = "/.well-known/jwks.json"
UNKNOWN_SECONDS = 30  # how long a key id that the issuer does not know is refused unasked
AWAY_SECONDS = 5  # how long a request does not ask an issuer that did not answer
BURST, REFILL_SECONDS = 10, 1.0  # garbage tokens with ever new key ids: so many questions at once, then one a second
_MOST_UNKNOWN = 10_000


class RemoteKeys:
    def __init__(self, peer: ServiceClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._peer = peer
        self._clock = clock
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._unknown: dict[str, float] = {}
        self._questions: float = BURST
        self._asked_at = self._away_until = clock()
        self._asking = Lock()

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return self._keys.get(kid) or self._ask_for(kid)

    def refresh(self) -> None:
        """Fetch the keys; those that the issuer no longer publishes are forgotten. Raise ServiceCallFailed."""
        try:
            self._keys = _parse(self._peer.get(PATH))
        except ServiceCallFailed:
            self._away_until = self._clock() + AWAY_SECONDS
            raise
        self._unknown.clear()

    def _ask_for(self, kid: str) -> Ed25519PublicKey | None:
        with self._asking:
            if kid not in self._keys and self._worth_asking(kid):
                self._try_refresh()
                self._note_if_unknown(kid)
        if not self._keys:
            raise Unavailable("tokens cannot be verified yet, try again")
        return self._keys.get(kid)

    def _worth_asking(self, kid: str) -> bool:
        now = self._clock()
        if now < self._unknown.get(kid, 0) or now < self._away_until:
            return False
        self._questions = min(BURST, self._questions + (now - self._asked_at) / REFILL_SECONDS)
        self._asked_at = now
        if self._questions < 1:
            return False
        self._questions -= 1
        return True

    def _try_refresh(self) -> None:
        try:
            self.refresh()
        except ServiceCallFailed as failure:
            log.warning("jwks_not_refreshed", extra={"failure": str(failure)})

    def _note_if_unknown(self, kid: str) -> None:
        if len(self._unknown) >= _MOST_UNKNOWN:
            self._unknown.clear()
        if kid not in self._keys and self._clock() >= self._away_until:
            self._unknown[kid] = self._clock() + UNKNOWN_SECONDS


def _parse(document: dict[str, Any]) -> dict[str, Ed25519PublicKey]:
    try:
        published = PyJWKSet.from_dict(document).keys
    except (PyJWTError, AttributeError, KeyError, TypeError) as failure:
        raise ServiceCallFailed("the JWKS is not one") from failure
    keys = {
        key.key_id: key.key
        for key in published
        if isinstance(key.key_id, str) and isinstance(key.key, Ed25519PublicKey)
    }
    if not keys:
        raise ServiceCallFailed("the JWKS holds no Ed25519 key")
    return keys
