"""Tokens that show that an account has signed in on a device before."""

from __future__ import annotations

import hashlib
from secrets import token_urlsafe

from itsdangerous import BadData, TimestampSigner

TRUST_SECONDS = 30 * 86_400  # since the last sign-in


class TrustedDevices:
    """Sign the id of a device for one account, with a key derived from the first secret; accept any of the secrets.

    Nothing is stored, so an attacker cannot displace trusted devices from a storage.
    """

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = list(reversed(secrets))  # itsdangerous signs with the last of its keys

    def issue(self, account: str, device: str | None = None) -> str:
        """Return a token for the device, or for a new one."""
        return self._signer(account).sign(device or token_urlsafe(16)).decode()

    def recognise(self, account: str, token: str | None) -> str | None:
        """Return the id of the device; None for a token of another account, a forged or an old one."""
        try:
            return self._signer(account).unsign(token or "", max_age=TRUST_SECONDS).decode()
        except (BadData, ValueError):
            return None

    def _signer(self, account: str) -> TimestampSigner:
        salt = f"trusted-device:{account}"
        return TimestampSigner(self._secrets, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
