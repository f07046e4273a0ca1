"""Hash and check passwords: argon2id, its parameters in this one place."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from user_service.accounts.hashing import HashingPool
from user_service.accounts.rules import normalised

# The first choice of the OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
ARGON2ID = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)


class Passwords:
    def __init__(self, hasher: PasswordHasher = ARGON2ID, places: int = 64) -> None:
        self._hasher = hasher
        self._pool = HashingPool(places)
        self._nobodys = hasher.hash(secrets.token_bytes(16))

    def hash(self, password: str) -> str:
        return self._pool.run(self._hasher.hash, normalised(password))

    def match(self, password: str, stored: str | None) -> bool:
        """Tell whether the password belongs to the stored hash; without one, say no and take as long."""
        try:
            matched = self._pool.run(self._hasher.verify, stored or self._nobodys, normalised(password))
        except VerifyMismatchError:
            return False
        return matched and stored is not None

    def outdated(self, stored: str) -> bool:
        """Tell whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)
