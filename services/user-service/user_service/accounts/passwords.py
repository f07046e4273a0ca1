"""Hash and verify passwords with argon2id."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from user_service.accounts.hashing import HashingPool
from user_service.accounts.rules import normalised

# The first recommendation of the OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
ARGON2ID = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)


class Passwords:
    def __init__(self, hasher: PasswordHasher = ARGON2ID, slots: int = 64) -> None:
        self._hasher = hasher
        self._pool = HashingPool(slots)
        self._dummy_hash = hasher.hash(secrets.token_bytes(16))

    def hash(self, password: str) -> str:
        return self._pool.run(self._hasher.hash, normalised(password))

    def match(self, password: str, stored: str | None) -> bool:
        """Return whether the password matches; without a stored hash return False after the same time."""
        try:
            matched = self._pool.run(self._hasher.verify, stored or self._dummy_hash, normalised(password))
        except VerifyMismatchError:
            return False
        return matched and stored is not None

    def outdated(self, stored: str) -> bool:
        """Return whether the hash was made with other parameters than the current ones."""
        return self._hasher.check_needs_rehash(stored)
