"""Code, documents and tests use standard words instead of the project's former ones."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("libs", "services", "tools", "tests", "bench", "docs", "compose", ".github", ":(glob)*.*", "Makefile")
KINDS = {".py", ".md", ".toml", ".yml", ".yaml", ".cfg", ".ini", ".sh", ""}
# This list and the history of measurements. PARTS leaves out helm/: Kubernetes has its own peers and drains.
EXCLUDED = {"tests/architecture/test_vocabulary.py", "bench/LOG.md"}

# Whole words, also as a part of a name (`first_in_crowd`, `PeerFailure`), in any case.
WORDS = {
    r"crowd(s|ed)?": "batch, batching",
    r"wish(es)?": "call",
    r"express": "dispatch",
    r"intake": "admission",
    r"overdue": "request timeout",
    r"(hang|hangs|hung)[ _]up": "close",
    r"(?!drain_seconds)drain(s|ed|ing)?": "shutdown",
    r"ledger": "rate-limit policy",
    r"acquaint(s|ed)?": "trust",
    r"newcomers?": "untrusted client",
    r"keyset": "pagination, cursor",
    r"peers?": "service client, other service, client address",
    r"lend(s|ing)?|lent": "connection",
    r"harden": "add security headers",
    r"look[ _]again": "refresh",
    r"followers?": "session feed",
    r"the books": "invariants",
}
# Names in Python code; in prose these words are ordinary English.
NAMES = {
    r"(?<![\w.])observe\(|chassis\.observe|import observe": "access_log",
    r"\barrive\(": "begin_request",
    r"\bAnswered\b": "RequestRecord",
    r"chassis\.answers|-> Answer\b|: Answer\b|\bAnswer\(|import .*\bAnswer\b": "JsonResponse",
    r"(?<![\w.])reply\(": "json_response",
    r"\b(un)?pack_key\b": "encode_cursor, decode_cursor",
    r"chassis\.clients|\bBehindProxies\b": "proxies, TrustedProxies",
    r"(?<![\w.])fit\(|import .*\bfit\b|\.fit\(app\)": "init_app",
    r"(?<![\w.])enter\(|\bcall_as\b": "require_user, set_caller",
    r"\bRemembering\b|\brecall\b": "CachingVerifier, cached",
    r"(db|database|current_database\(\))\.(first|all)\(": "fetch_one, fetch_all",
    r"\bPoolExhausted\b": "PoolTimeout",
    r"class Order\(NamedTuple\)": "SortOrder",
    r"sessions\.trust\b|chaos\.trust\b": "auth_wiring",
    r"chaos\.(books|buyers|world)\b|from chaos import .*\b(books|buyers|world)\b": "invariants, load, environment",
}
ANYWHERE = {re.compile(rf"(?<![A-Za-z])(?i:{word})(?![a-z])"): standard for word, standard in WORDS.items()}
IN_PYTHON = {re.compile(name): standard for name, standard in NAMES.items()}


def files() -> list[str]:
    """Return the text files that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(
        {path for path in listed if path and Path(path).suffix in KINDS and (ROOT / path).is_file()} - EXCLUDED
    )


def replaced_words(path: str, text: str) -> Iterator[str]:
    """Yield a message for each replaced word in a path or a text, with the standard word."""
    content = f"{path}\n{text}"
    for pattern, standard in (ANYWHERE | IN_PYTHON if path.endswith(".py") else ANYWHERE).items():
        for found in pattern.finditer(content):
            line = content.count("\n", 0, found.start())  # 0 is the path
            yield f"{path}:{line}: {found[0]!r}, say {standard}"


def test_no_file_uses_a_replaced_word() -> None:
    assert [found for path in files() for found in replaced_words(path, (ROOT / path).read_text())] == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "db.first_in_crowd(key, statement)"),
        ("a.md", "Drains are Peers"),
        ("a.py", "class ExpressLane: ..."),
        ("a.py", "row = db.first(statement)"),
        ("libs/crowd.py", ""),
    ],
)
def test_replaced_word_is_found(path: str, line: str) -> None:
    assert list(replaced_words(path, line))


@pytest.mark.parametrize(
    "line",
    [
        "DRAIN_SECONDS = 2  # drain_seconds",
        "histogram.observe(seconds); stack.enter_context(pool)",
        "x-hardened: &hardened  # the expression is expressive, the calendar is blended",
        "results.first().all(); socket.getpeername()",
    ],
)
def test_ordinary_code_and_english_is_accepted(line: str) -> None:
    assert list(replaced_words("a.py", line)) == []
