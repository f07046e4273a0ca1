"""Codes of an authenticator app (TOTP, RFC 6238) and recovery codes, which replace one of them each."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import NamedTuple

from pyotp import TOTP, random_base32
from pyotp.exceptions import OTPVerificationError

RECOVERY_CODES = 10
LONGEST_CODE = 40
_WINDOW = 1  # steps of 30 seconds before and after: clocks differ, and typing takes time
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_DIGITS = re.compile(r"[0-9]{6}")
_FILLING = re.compile(r"[\s-]+")


class Proof(NamedTuple):
    """What a code may be: the time step of the app's code, or the digest of a recovery code."""

    step: int | None
    digest: bytes


def read_code(code: str, secret: str) -> Proof | None:
    """Return what the code proves if it is unused; None for a code of the app that is wrong or too old."""
    bare = _FILLING.sub("", code).lower()
    if not _DIGITS.fullmatch(bare):
        return Proof(None, digest(bare))
    try:
        step: int = TOTP(secret).verify_and_get_timecode(bare, for_time=int(time.time()), valid_window=_WINDOW)
    except OTPVerificationError:
        return None
    return Proof(step, b"")


def digest(recovery_code: str) -> bytes:
    """Return the digest that the database stores; a code has 80 random bits, so nobody tries them all."""
    return hashlib.sha256(_FILLING.sub("", recovery_code).lower().encode(errors="replace")).digest()


def new_secret() -> str:
    return random_base32()


def new_recovery_codes() -> list[str]:
    """Return codes of four groups of four letters and digits."""
    return ["-".join(_group() for _ in range(4)) for _ in range(RECOVERY_CODES)]


def _group() -> str:
    return "".join(secrets.choice(_BASE32) for _ in range(4))


def provisioning_uri(secret: str, username: str, shop: str) -> str:
    """Return the URI that an authenticator app reads from a QR code."""
    return TOTP(secret).provisioning_uri(name=username, issuer_name=shop)
