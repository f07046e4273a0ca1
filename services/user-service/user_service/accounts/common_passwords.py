"""Load the most common passwords from `common_passwords.txt`, which `tools/common_passwords.py` makes."""

from __future__ import annotations

from pathlib import Path

LIST = Path(__file__).with_suffix(".txt")
COMMON_PASSWORDS = frozenset(line for line in LIST.read_text("utf-8").splitlines() if not line.startswith("#"))
