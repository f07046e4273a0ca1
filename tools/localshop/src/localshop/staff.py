"""Open an account of the staff on the first start; its password stays in a file that the owner alone can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from localshop.shop import Shop

USERNAME = "staff"
PASSWORD_FILE = "staff-password"


def first_staff(shop: Shop) -> str | None:
    """Return the password of a new account of the staff; None after the first start."""
    kept = shop.data / PASSWORD_FILE
    draft = kept.with_name(f"{PASSWORD_FILE}.new")
    if kept.exists():
        return None
    is_ours = draft.exists()  # from a start that was interrupted, maybe after it had opened the account
    if not is_ours:
        _write(draft, secrets.token_urlsafe(12))
    said = shop.user.run("staff", "add", USERNAME, "--password-file", draft)
    if said.endswith("exists already") and not is_ours:
        draft.unlink()
        return None
    draft.rename(kept)
    return kept.read_text().strip()


def _write(file: Path, password: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(f"{password}\n")
