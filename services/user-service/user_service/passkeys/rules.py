"""What a passkey must prove, and why one is refused."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error
from typing import Any, NamedTuple

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, options_to_json_dict, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from chassis.problems import Conflict, InvalidRequest, NotFound, Unauthenticated

MOST_PASSKEYS = 20
LONGEST_ID = 1023  # of the specification
LONGEST_KEY = 2048  # an RSA key of 8192 bits has about 1 KB
_VERIFIED = UserVerificationRequirement.REQUIRED  # a passkey replaces the password: possession alone is too little


class ChallengeExpired(InvalidRequest):
    code, error = "challenge_expired", "that took too long; please try again"


class ChallengeUsed(Conflict):
    code, error = "challenge_used", "this answer was sent before; please try again"


class PasskeyRefused(InvalidRequest):
    """Not signed with the passkey's key, or for another challenge or site."""

    code, error = "passkey_refused", "this passkey could not be checked; please try again"


class UnknownPasskey(Unauthenticated):
    code, error = "unknown_passkey", "this passkey is not known here, or was removed; sign in with your password"


class CopiedPasskey(Unauthenticated):
    """The passkey counts its signatures, and the count is not higher than the last one."""

    code = "passkey_copied"
    error = "this passkey may have been copied and was refused; sign in with your password and remove it"


class PasskeyTaken(Conflict):
    code, error = "passkey_taken", "this passkey belongs to an account already"


class TooManyPasskeys(Conflict):
    code = "too_many_passkeys"
    error = f"an account has at most {MOST_PASSKEYS} passkeys; remove one that you do not use"


TAKEN = {"passkeys_pkey": PasskeyTaken}


class Site(NamedTuple):
    """Whom a passkey is for: the host's name, and the origin of the page that asks for it."""

    rp_id: str
    origin: str


def site(scheme: str, host: str) -> Site:
    """Return the site at a host with its port, if it has one; raise PasskeyRefused without a host."""
    name = host.partition(":")[0]
    if not name:
        raise PasskeyRefused
    return Site(name, f"{scheme}://{host}")


class NewPasskey(NamedTuple):
    credential_id: bytes
    public_key: bytes
    sign_count: int


def refuse_too_many(count: int) -> None:
    """Raise TooManyPasskeys when an account with this many passkeys may have no other."""
    if count >= MOST_PASSKEYS:
        raise TooManyPasskeys


def creation_options(
    site: Site, challenge: bytes, *, shop: str, user_id: str, username: str, known: list[bytes]
) -> dict[str, Any]:
    """Return what navigator.credentials.create() takes, as JSON; the browser offers no device with a `known` one."""
    options = generate_registration_options(
        rp_id=site.rp_id,
        rp_name=shop,
        user_id=user_id.encode(),
        user_name=username,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_VERIFIED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=credential_id) for credential_id in known],
    )
    return options_to_json_dict(options)


def request_options(site: Site, challenge: bytes) -> dict[str, Any]:
    """Return what navigator.credentials.get() takes, as JSON; it names no account, so the browser shows a choice."""
    options = generate_authentication_options(rp_id=site.rp_id, challenge=challenge, user_verification=_VERIFIED)
    return options_to_json_dict(options)


def verify_new(site: Site, challenge: bytes, credential: dict[str, Any]) -> NewPasskey:
    """Return the passkey that the browser made; raise PasskeyRefused."""
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as refusal:  # malformed input also raises what the library's parsers raise
        raise PasskeyRefused from refusal
    if len(made.credential_id) > LONGEST_ID or len(made.credential_public_key) > LONGEST_KEY:
        raise PasskeyRefused
    return NewPasskey(made.credential_id, made.credential_public_key, made.sign_count)


def read_answer(credential: dict[str, Any]) -> AuthenticationCredential:
    """Return what the browser answered, not verified yet; raise PasskeyRefused."""
    try:
        return parse_authentication_credential_json(credential)
    except Exception as refusal:  # as above
        raise PasskeyRefused from refusal


def verify_answer(
    site: Site, challenge: bytes, answer: AuthenticationCredential, *, public_key: bytes, user_id: str
) -> int:
    """Return the passkey's count of signatures; raise PasskeyRefused."""
    if answer.response.user_handle != user_id.encode():
        raise PasskeyRefused
    try:
        verified = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # refuse_copy compares it
            require_user_verification=True,
        )
    except Exception as refusal:  # as above
        raise PasskeyRefused from refusal
    return verified.new_sign_count


def refuse_copy(before: int, now: int) -> None:
    """Raise CopiedPasskey unless the count of signatures has risen; a passkey that does not count says 0."""
    if now <= before and (before, now) != (0, 0):
        raise CopiedPasskey


def passkey_id(credential_id: bytes) -> str:
    """Return the id as it stands in URLs."""
    return bytes_to_base64url(credential_id)


def credential_id(passkey: str) -> bytes:
    """Return the id that a URL names; raise NotFound when it is none."""
    try:
        found = urlsafe_b64decode(f"{passkey}===")
    except (Error, ValueError) as refusal:
        raise NotFound from refusal
    if passkey_id(found) != passkey:
        raise NotFound
    return found
