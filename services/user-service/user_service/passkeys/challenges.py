"""Challenges that a passkey answers: signed, for one purpose, valid for five minutes.

The browser keeps an unanswered challenge in a cookie; the digests of the answered ones are stored until they expire.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from secrets import token_bytes
from typing import NamedTuple

from itsdangerous import BadData, TimestampSigner

from user_service.passkeys.rules import ChallengeExpired

SECONDS = 300
SIGN_IN = "sign-in"


class Issued(NamedTuple):
    """A challenge, and the same signed for the browser to keep."""

    challenge: bytes
    signed: str


class Challenges:
    """Sign challenges with a key derived from the first secret; accept any of the secrets."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = list(reversed(secrets))  # itsdangerous signs with the last of its keys

    def issue(self, purpose: str) -> Issued:
        challenge = token_bytes(32)
        return Issued(challenge, self._signer(purpose).sign(urlsafe_b64encode(challenge)).decode())

    def read(self, purpose: str, signed: str | None) -> bytes:
        """Return the challenge; raise ChallengeExpired for an old or forged one, or one of another purpose."""
        try:
            return urlsafe_b64decode(self._signer(purpose).unsign(signed or "", max_age=SECONDS))
        except (BadData, ValueError) as refusal:
            raise ChallengeExpired from refusal

    def _signer(self, purpose: str) -> TimestampSigner:
        salt = f"passkey-challenge:{purpose}"
        return TimestampSigner(self._secrets, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)


def adding(session_id: str) -> str:
    """Return the purpose of adding a passkey in this session, which has confirmed the password."""
    return f"add:{session_id}"


def digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
