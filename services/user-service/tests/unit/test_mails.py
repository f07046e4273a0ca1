from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from user_service import mails

FOLDER = Path(mails.__file__).parent
NAMES = sorted(file.stem for file in FOLDER.glob("*.txt"))
VALUES: dict[str, Any] = {
    "username": "alice",
    "link": "https://shop.example/account/password/new#code=c0de",
    "code": "c0de",
    "at": datetime(2026, 11, 27, 5, 0, tzinfo=UTC),
    "user_agent": "<b>curl</b>",
    "new_email": "<b>@example.com",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_mail_says_the_same_in_text_and_in_html(name: str) -> None:
    mail = mails.compose(name, to="a@example.com", message_id="m", **VALUES)
    assert (mail.to, mail.message_id) == ("a@example.com", "m")
    assert re.fullmatch(r"[A-Z][a-z -]+", mail.subject)
    assert {"alice", "Harbour & Pine", VALUES["link"]} <= {
        part for part in (*VALUES.values(), "Harbour & Pine") if str(part) in mail.text
    }
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", mail.html))
    assert "alice" in words
    assert "Harbour &amp; Pine" in words
    assert f'href="{VALUES["link"]}"' in mail.html
    assert "<b>" not in mail.html


def test_a_change_of_address_names_the_new_one_and_a_removal_none() -> None:
    change = mails.compose("old-address", to="a@example.com", message_id="m", **VALUES | {"new_email": "b@example.com"})
    removal = mails.compose("old-address", to="a@example.com", message_id="m", **VALUES | {"new_email": None})
    assert "b@example.com" in change.text
    assert "no longer has this email address" in removal.text
    assert "None" not in removal.text + removal.html


@pytest.mark.parametrize(
    ("username", "shown"),
    [("alice", "alice"), ("https://evil.example", "htt…"), ("evil.example", "evi…"), ("a@b", "a@b"[:3] + "…")],
)
def test_a_username_makes_no_link_in_a_mail_to_a_stranger(username: str, shown: str) -> None:
    for name in ("confirmation", "reset"):
        mail = mails.compose(name, to="a@example.com", message_id="m", **VALUES | {"username": username})
        assert f"account {shown} at" in mail.text
        assert f"<strong>{shown}</strong>" in mail.html
