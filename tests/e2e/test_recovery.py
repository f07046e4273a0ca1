"""A customer gets the account back by mail, through the real server and the real worker."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path

import httpx
import pytest

from localshop.shop import Shop
from localshop.testing import free_ports

pytestmark = pytest.mark.e2e
ACCOUNT = {"username": "alice", "password": "violet-harbour-42", "email": "Alice@example.com"}
NEW = "amber-station-77"
PATIENCE_SECONDS = 60


@pytest.fixture
def shop(data: Path, ports: tuple[int, int]) -> Iterator[Shop]:
    """Run a shop with its job workers, whose mails become files."""
    with Shop(data, user_port=ports[0], order_port=ports[1], mailbox_port=free_ports()[0]) as shop:
        yield shop


@pytest.fixture
def read_mail(data: Path) -> Callable[[str], tuple[str, str]]:
    """Return what waits for the mail of a subject, and returns its recipient and its code."""

    def read_mail(subject: str) -> tuple[str, str]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for file in (data / "mail").glob("*.eml"):
                mail = message_from_bytes(file.read_bytes(), policy=policy.default)
                if mail["Subject"] == subject:
                    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
                    code = re.search(r"#code=(\S+)", text)
                    return str(mail["To"]), code[1] if code else ""
            time.sleep(0.1)
        raise AssertionError(f"no mail with the subject {subject!r} in {PATIENCE_SECONDS} seconds")

    return read_mail


def test_a_forgotten_password_is_replaced_by_mail(
    shop: Shop, data: Path, read_mail: Callable[[str], tuple[str, str]]
) -> None:
    with httpx.Client(base_url=shop.user.url) as client:
        # given
        assert client.post("/register", json=ACCOUNT).status_code == 201
        to, confirmation = read_mail("Confirm your email address")
        assert to == ACCOUNT["email"]
        assert client.post("/email/verification/confirm", json={"token": confirmation}).status_code == 204
        # when
        assert client.post("/password/forgotten", json={"email": "alice@example.com"}).status_code == 202
        to, reset = read_mail("Choose a new password")
        assert to == ACCOUNT["email"]
        assert client.post("/password/reset", json={"token": reset, "new_password": NEW}).status_code == 204
        # then
        old = {"username": "alice@example.com", "password": ACCOUNT["password"]}
        assert client.post("/login", json=old).status_code == 401
        assert client.post("/login", json=old | {"password": NEW}).status_code == 200
        assert read_mail("Your password was changed") == (ACCOUNT["email"], "")
    logs = "".join(log.read_text() for log in (data / "logs").glob("*service*.log"))
    assert "/password/reset" in logs
    assert confirmation not in logs
    assert reset not in logs
    assert "example.com" not in logs
