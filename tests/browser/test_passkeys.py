"""Passkeys in Chromium, with its virtual authenticator."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Page, expect

from browser.visitor import PASSWORD
from localshop.shop import Shop

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def at(shop: Shop) -> str:
    """Return the address of the account pages: passkeys need a name, which 127.0.0.1 is not."""
    return f"http://localhost:{shop.user.port}/account"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        context.set_default_timeout(10_000)
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Return a page; the test fails if it breaks its Content-Security-Policy or a script fails."""
    page = context.new_page()
    failures: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            failures.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    assert failures == []


class Device:
    """The virtual authenticator of a page."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session
        session.send("WebAuthn.enable")
        added = session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        self._id = {"authenticatorId": added["authenticatorId"]}

    def credentials(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._session.send("WebAuthn.getCredentials", self._id)["credentials"]
        return found

    def refuse_the_user(self) -> None:
        """Have the screen lock fail from now on."""
        self._session.send("WebAuthn.setUserVerified", {**self._id, "isUserVerified": False})


@pytest.fixture
def device(context: BrowserContext, page: Page) -> Device:
    return Device(context.new_cdp_session(page))


@pytest.fixture
def sign_up(at: str, request: pytest.FixtureRequest) -> Callable[[Page], str]:
    """Return what opens an account with a name of its own, and signs in."""
    username = re.sub(r"[^a-z]+", "-", request.node.name)[-60:].strip("-")

    def sign_up(page: Page) -> str:
        page.goto(f"{at}/sign-up")
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create the account").click()
        expect(page.get_by_text(f"Your username is {username}")).to_be_visible()
        return username

    return sign_up


def add(page: Page, at: str, name: str = "Laptop", password: str = PASSWORD) -> None:
    page.goto(f"{at}/passkeys")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name of the passkey").fill(name)
    page.get_by_label("Your password").fill(password)
    page.get_by_role("button", name="Add the passkey").click()


def sign_out(page: Page, at: str) -> None:
    page.goto(f"{at}/sign-out")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def sign_in(page: Page) -> None:
    page.get_by_role("button", name="Sign in with a passkey").click()


def test_life_of_a_passkey(page: Page, device: Device, at: str, sign_up: Callable[[Page], str]) -> None:
    # added
    username = sign_up(page)
    add(page, at)
    expect(page.get_by_role("heading", name="Laptop")).to_be_visible()
    expect(page.get_by_text("not used yet")).to_be_visible()
    assert [credential["isResidentCredential"] for credential in device.credentials()] == [True]

    # signs in without a username, and leads on
    sign_out(page, at)
    page.goto(f"{at}/sign-in?next=/account/passkeys")
    sign_in(page)
    expect(page).to_have_url(f"{at}/passkeys")
    expect(page.get_by_text("last used")).to_be_visible()

    # renamed
    page.get_by_role("link", name="Rename Laptop").click()
    page.get_by_label("Name of the passkey").fill("Work laptop")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Work laptop")).to_be_visible()

    # removed
    page.get_by_role("link", name="Remove Work laptop").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    expect(page.get_by_role("heading", name="Work laptop")).to_have_count(0)

    # refused from then on
    sign_out(page, at)
    sign_in(page)
    expect(page.get_by_role("alert")).to_have_text(
        "This passkey is not known here, or was removed; sign in with your password."
    )
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text(f"Your username is {username}")).to_be_visible()


def test_user_who_is_not_verified_can_try_again(
    page: Page, device: Device, at: str, sign_up: Callable[[Page], str]
) -> None:
    sign_up(page)
    add(page, at)
    expect(page.get_by_role("heading", name="Laptop")).to_be_visible()
    sign_out(page, at)
    device.refuse_the_user()
    for _ in range(2):
        sign_in(page)
        expect(page.get_by_role("alert")).to_have_text("You cancelled, or it took too long. Please try again.")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


def test_device_keeps_one_passkey_of_an_account(
    page: Page, device: Device, at: str, sign_up: Callable[[Page], str]
) -> None:
    sign_up(page)
    add(page, at)
    expect(page.get_by_role("heading", name="Laptop")).to_be_visible()
    add(page, at, "Again")
    expect(page.get_by_role("alert")).to_have_text("This device already has a passkey for your account.")
    assert len(device.credentials()) == 1


def test_wrong_password_is_shown_and_makes_no_passkey(
    page: Page, device: Device, at: str, sign_up: Callable[[Page], str]
) -> None:
    sign_up(page)
    add(page, at, password="wrong-harbour-42")
    expect(page.get_by_role("alert")).to_have_text("Wrong password.")
    expect(page.get_by_role("alert")).to_be_focused()
    assert device.credentials() == []


def test_session_that_ended_meanwhile_leads_to_sign_in(
    page: Page, context: BrowserContext, device: Device, at: str, sign_up: Callable[[Page], str]
) -> None:
    sign_up(page)
    page.goto(f"{at}/passkeys/add")
    sign_out(other := context.new_page(), at)
    other.close()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("Name of the passkey").fill("Laptop")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page).to_have_url(re.compile(r"/account/sign-in\?next=%2Faccount%2Fpasskeys%2Fadd$"))


def test_address_without_a_name_is_explained(page: Page, device: Device, shop: Shop) -> None:
    page.goto(f"{shop.user.url}/account/sign-in")
    sign_in(page)
    expect(page.get_by_role("alert")).to_have_text("Passkeys do not work at this address of the shop.")


def test_browser_without_passkeys_is_not_offered_them(page: Page, at: str, sign_up: Callable[[Page], str]) -> None:
    page.add_init_script("delete window.PublicKeyCredential")
    page.goto(f"{at}/sign-in")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    sign_up(page)
    page.goto(f"{at}/passkeys/add")
    expect(page.get_by_text("This browser cannot add passkeys.")).to_be_visible()
    expect(page.get_by_role("button", name="Add the passkey")).to_be_hidden()


def test_pages_without_javascript_offer_no_passkeys(browser: Browser, at: str, sign_up: Callable[[Page], str]) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{at}/sign-in")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
        sign_up(page)
        page.goto(f"{at}/passkeys/add")
        expect(page.get_by_role("button", name="Add the passkey")).to_be_hidden()
        assert (
            "please allow JavaScript" in page.content()
        )  # Chromium renders <noscript> only where a user turned it off
