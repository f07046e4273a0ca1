"""Validate and normalise usernames, email addresses and passwords."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from email_validator import validate_email

from chassis.problems import Conflict, InvalidRequest
from user_service.accounts.common_passwords import COMMON_PASSWORDS

# Letters and marks without a glyph: with them two different names could look the same
# (Unicode's Default_Ignorable_Code_Point outside category C, and the blank Braille pattern).
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


class UsernameTaken(Conflict):
    code, error = "username_taken", "username already exists"


TAKEN = {"users_username_unique": UsernameTaken}


class WeakPassword(InvalidRequest):
    code = "weak_password"


def normalised(text: str) -> str:
    """Return the text in Unicode normal form NFKC."""
    return unicodedata.normalize("NFKC", text)


def shows_every_character(username: str) -> bool:
    """Return whether the username has no spaces, control, format or other invisible characters."""
    categories = {unicodedata.category(character)[0] for character in username}
    return not categories & {"C", "Z"} and not _INVISIBLE.search(username)


def username_digest(username: str) -> bytes:
    """Return the digest that equal usernames share: a compatibility caseless match (Unicode, section 3.13, D146).

    A digest, because it stays after the account is deleted to reserve the name, and must not reveal it.
    """
    decomposed = unicodedata.normalize("NFD", username)
    return hashlib.sha256(normalised(normalised(decomposed.casefold()).casefold()).encode()).digest()


def account_key(username: str) -> str:
    """Return the rate limiter's key of this account, which need not exist; one address has one key in all spellings."""
    return username_digest(address_in(username) or username).hex()


def email_key(email: str | None) -> str | None:
    """Return the key that equal email addresses share; raise ValueError when the address is invalid."""
    return validate_email(email, check_deliverability=False).normalized.casefold() if email else None


def email_limit_key(email: str) -> str:
    """Return the rate limiter's key of this address, which need not belong to an account."""
    return hashlib.sha256((email_key(email) or "").encode()).hexdigest()


def address_in(name: str) -> str | None:
    """Return the key of the email address that somebody signs in with; None when the name is no address."""
    try:
        return email_key(name) if "@" in name else None
    except ValueError:
        return None


def refuse_weak(password: str, *, username: str, email: str | None) -> None:
    """Refuse a password that is common or equals the username or the email address."""
    guess = normalised(password).casefold()
    if guess in COMMON_PASSWORDS:
        raise WeakPassword("password is among the most common ones")
    if guess in {normalised(name).casefold() for name in (username, email) if name}:
        raise WeakPassword("password equals the username or the email address")
