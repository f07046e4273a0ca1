"""Sign-ins that wait for their code: a signed note that the password was right, kept by the browser for minutes."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import NamedTuple

from itsdangerous import BadData, URLSafeTimedSerializer

from chassis.db.database import Row
from user_service.sessions.rules import InvalidCredentials

SECONDS = 300


class Pending(NamedTuple):
    """A user whose password was right, and since when it has been the password."""

    user_id: str
    password_changed_at: datetime


class PendingSignIns:
    """Sign notes with a key derived from the first secret; accept any of the secrets."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._serializer = URLSafeTimedSerializer(
            list(reversed(secrets)), salt="pending-sign-in", signer_kwargs={"digest_method": hashlib.sha256}
        )  # itsdangerous signs with the last of its keys

    def issue(self, user: Row) -> str:
        return str(self._serializer.dumps([user.id, user.password_changed_at.isoformat()]))

    def read(self, signed: str | None) -> Pending:
        """Return whose password was right; raise InvalidCredentials for an old or forged note."""
        try:
            user_id, changed_at = self._serializer.loads(signed or "", max_age=SECONDS)
        except (BadData, ValueError) as refusal:
            raise InvalidCredentials from refusal
        return Pending(user_id, datetime.fromisoformat(changed_at))
