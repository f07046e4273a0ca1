"""Hash and check passwords: argon2id, its parameters in this one place."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from user_service.accounts.rules import normalised

# The first choice of the OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
ARGON2ID = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)


class Passwords:
    def __init__(self, hasher: PasswordHasher = ARGON2ID) -> None:
        self._hasher = hasher
        self._nobodys = hasher.hash(secrets.token_bytes(16))

    def hash(self, password: str) -> str:
        return self._hasher.hash(normalised(password))

    def match(self, password: str, stored: str | None) -> bool:
        """Tell whether the password belongs to the stored hash; without one, say no and take as long."""
        try:
            return self._hasher.verify(stored or self._nobodys, normalised(password)) and stored is not None
        except VerifyMismatchError:
            return False

    def outdated(self, stored: str) -> bool:
        """Tell whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)
