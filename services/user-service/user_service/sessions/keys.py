"""Read and write the private keys that sign tokens: a JWK set in a file of this service.

Each key has the time from which it signs (`signs_from`, Unix seconds). A new key is published before that time, so
that the verifiers know it; an old key stays until the last token that it signed has expired.
"""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm
from jwt.exceptions import PyJWTError

from chassis.auth.jwt import ALGORITHM

log = logging.getLogger(__name__)


class BadKeys(Exception):
    """The key file is missing or invalid; the message says why."""


class Key(NamedTuple):
    kid: str
    private: Ed25519PrivateKey
    signs_from: float

    @property
    def public_jwk(self) -> dict[str, Any]:
        jwk = OKPAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "use": "sig", "alg": ALGORITHM}

    @property
    def jwk(self) -> dict[str, Any]:
        return {**self.public_jwk, **OKPAlgorithm.to_jwk(self.private, as_dict=True), "signs_from": self.signs_from}


def generate(signs_from: float) -> Key:
    return Key(uuid4().hex[:12], Ed25519PrivateKey.generate(), signs_from)


def read(file: Path) -> list[Key]:
    """Return the keys of the file, oldest first; raise BadKeys."""
    try:
        keys = [_key(jwk) for jwk in json.loads(file.read_text())["keys"]]
    except (OSError, ValueError, KeyError, TypeError, PyJWTError) as failure:
        raise BadKeys(f"{file}: {failure}") from failure
    if not keys:
        raise BadKeys(f"{file}: the file holds no key")
    return sorted(keys, key=lambda key: key.signs_from)


def write(file: Path, keys: list[Key]) -> None:
    """Replace the file atomically; only its owner may read it."""
    draft = file.with_name(file.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump({"keys": [key.jwk for key in keys]}, out, indent=2)
    draft.replace(file)


def unexpired(keys: list[Key], seconds: float) -> list[Key]:
    """Remove the keys whose successor has signed for at least `seconds`, the lifetime of a token."""
    limit = time.time() - seconds
    expired = [successor.signs_from <= limit for successor in keys[1:]]
    return [key for key, is_expired in zip(keys, [*expired, False], strict=True) if not is_expired]


def _key(jwk: dict[str, Any]) -> Key:
    private = OKPAlgorithm.from_jwk(jwk)
    if not isinstance(private, Ed25519PrivateKey):
        raise BadKeys(f"key {jwk.get('kid')!r} is not a private Ed25519 key")
    return Key(jwk["kid"], private, float(jwk.get("signs_from", 0)))


class KeyRing:
    """The current keys of the file: reload it when it changes, keep the last keys when it is invalid."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp = _stamp(file)
        self._keys = read(file)

    def signing(self) -> tuple[str, Ed25519PrivateKey]:
        """Return id and private key of the newest key whose signing time has begun."""
        keys = self._current()
        now = time.time()
        key = next((key for key in reversed(keys) if key.signs_from <= now), keys[0])
        return key.kid, key.private

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return next((key.private.public_key() for key in self._current() if key.kid == kid), None)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.public_jwk for key in self._current()]}

    def _current(self) -> list[Key]:
        stamp = _stamp(self._file)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._keys = read(self._file)
            except BadKeys as failure:
                log.error("token_keys_not_reloaded", extra={"failure": str(failure)})  # noqa: TRY400 - the reason is enough
        return self._keys


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_ino
