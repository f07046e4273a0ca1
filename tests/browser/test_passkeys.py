"""Passkeys with Chromium's virtual authenticator: add, sign in without a username, rename, remove."""

from __future__ import annotations

from browser.visitor import Visit, Visitor

PLATFORM = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}


def give_authenticator(visitor: Visitor) -> None:
    """Let the page's browser keep passkeys, as a laptop with a fingerprint reader does."""
    devtools = visitor.context.new_cdp_session(visitor.page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": PLATFORM})


def test_customer_adds_uses_renames_and_removes_a_passkey(visit: Visit) -> None:
    customer = visit()
    give_authenticator(customer)
    customer.join()
    customer.follow("Passkeys")
    customer.follow("Add a passkey")
    customer.fill(name="Laptop", current_password=customer.password)
    customer.press("Add the passkey")
    customer.sees("Your passkey is added.")
    customer.sees("Laptop")

    customer.sign_out()
    customer.press("Sign in with a passkey")
    assert customer.heading.startswith("Hello")

    customer.follow("Passkeys")
    customer.follow("Rename Laptop")
    customer.fill(name="Old laptop")
    customer.press("Save")
    customer.sees("Old laptop")

    customer.follow("Remove Old laptop")
    customer.fill(current_password=customer.password)
    customer.press("Remove the passkey")
    customer.sees("The passkey is removed.")
