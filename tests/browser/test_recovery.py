"""Codes of mails: the link fills its page's field and leaves no code in the address bar; without JavaScript by hand."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.visitor import Visit, Visitor
from localshop.shop import Shop
from localshop.testing import free_ports

NEW = "amber-lantern-77"


@pytest.fixture
def mail(shop: Shop) -> Iterator[Path]:
    """Run user-service's job worker; yield the folder in which its mails become files."""
    worker = shop.user.job_worker(free_ports()[0])
    worker.start()
    yield shop.data / "mail"
    worker.stop()


def read_link(folder: Path, to: str, subject: str) -> str:
    """Wait for a mail; return its link, code included."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for file in folder.glob("*.eml"):
            mail = message_from_bytes(file.read_bytes(), policy=policy.default)
            if (mail["To"], mail["Subject"]) == (to, subject):
                text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
                link = re.search(r"http\S+#code=\S+", text)
                assert link, text
                return link[0]
        time.sleep(0.1)
    raise AssertionError(f"no mail {subject!r} to {to}")


def open_link(customer: Visitor, link: str, *, by_hand: bool) -> None:
    path, _, code = link.partition("#code=")
    customer.page.goto(link.replace("127.0.0.1", "localhost"))
    if by_hand:
        customer.page.fill("input[name=token]", code)
    expect(customer.page.locator("input[name=token]")).to_have_value(code)
    assert by_hand or "#" not in customer.page.url
    assert path.endswith(customer.path)


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_a_customer_confirms_the_address_and_replaces_the_password(
    visit: Visit, mail: Path, java_script_enabled: bool
) -> None:
    customer = visit(java_script_enabled=java_script_enabled)
    address = f"{customer.username}@example.org"
    customer.open("/account/sign-up")
    customer.sign_up(email=address)
    customer.open("/account")
    customer.sees(f"We sent a mail to {address}.")

    open_link(customer, read_link(mail, address, "Confirm your email address"), by_hand=not java_script_enabled)
    customer.press("Confirm the address")
    customer.sees("Your email address is confirmed.")

    customer.sign_out()
    customer.follow("Forgot your password?")
    customer.fill(email=address)
    customer.press("Send the mail")
    customer.sees("If an account has this address, a mail is on its way.")
    open_link(customer, read_link(mail, address, "Choose a new password"), by_hand=not java_script_enabled)
    customer.fill(new_password=NEW)
    customer.press("Set the password")
    customer.sees("Your password is changed. Please sign in.")
    customer.fill(username=address, password=NEW)
    customer.press("Sign in")
    customer.sees("Hello")
