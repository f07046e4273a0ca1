from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.auth.jwt import JwtSigner, JwtVerifier
from chassis.auth.tokens import EXPIRED_LEEWAY_SECONDS, ISSUED_LEEWAY_SECONDS
from chassis.context import Caller
from chassis.problems import InvalidToken

ALICE = Caller("u-1", "alice", "s-1")
KEY, OTHER_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
HEADER = {"alg": "EdDSA", "kid": "k-1", "typ": "at+jwt"}
ISSUER, AUDIENCE = "the-issuer", "the-shop"


class Keys:
    """Hold one key, k-1."""

    def signing(self) -> tuple[str, Ed25519PrivateKey]:
        return "k-1", KEY

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key() if kid == "k-1" else None


signer = JwtSigner(Keys(), issuer=ISSUER, audience=AUDIENCE, ttl_seconds=900)
verifier = JwtVerifier(Keys(), issuer=ISSUER, audience=AUDIENCE)


def token(key: Any = KEY, algorithm: str = "EdDSA", kid: Any = "k-1", typ: Any = "at+jwt", **changes: Any) -> str:
    """Return a valid token with changed claims; None removes a claim."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "sid": "s-1", "iat": now, "exp": now + 900, **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": kid, "typ": typ})


def test_signed_token_verifies_as_its_caller_until_expiry_plus_leeway() -> None:
    caller, expires_at = verifier.verify(signer.sign(ALICE))
    assert caller == ALICE
    assert expires_at == pytest.approx(time.time() + 900 + EXPIRED_LEEWAY_SECONDS, abs=2)


def test_roles_travel_in_the_token() -> None:
    staff = ALICE._replace(roles=("staff",))
    assert verifier.verify(signer.sign(staff))[0] == staff


def test_token_has_the_registered_header_fields_and_claims() -> None:
    made = signer.sign(ALICE)
    assert jwt.get_unverified_header(made) == HEADER
    claims = jwt.decode(made, options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "exp", "preferred_username"}


def assembled(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def hs256_with_the_public_key() -> str:
    """Return a token that passes when the verifier takes the algorithm from the header."""
    import hashlib
    import hmac

    public = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, _, _ = assembled({**HEADER, "alg": "HS256"}, good_claims()).rpartition(".")
    signature = hmac.new(public, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def good_claims() -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token(), options={"verify_signature": False})
    return claims


def altered_payload() -> str:
    head, _, signature = token().split(".")
    payload = json.dumps(good_claims() | {"sub": "u-2"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.{signature}"


FORGERIES: dict[str, Callable[[], str]] = {
    "signed by another key": lambda: token(key=OTHER_KEY),
    "altered payload": altered_payload,
    "alg none": lambda: assembled({**HEADER, "alg": "none"}, good_claims()),
    "alg none, with a signature": lambda: assembled({**HEADER, "alg": "None"}, good_claims(), b"x" * 64),
    "HS256 with the public key": hs256_with_the_public_key,
    "another audience": lambda: token(aud="another-shop"),
    "a list of audiences": lambda: token(aud=[AUDIENCE, "another-shop"]),
    "another issuer": lambda: token(iss="mallory"),
    "from the future": lambda: token(iat=int(time.time()) + ISSUED_LEEWAY_SECONDS + 60),
    "expired": lambda: token(exp=int(time.time()) - EXPIRED_LEEWAY_SECONDS - 1),
    "expired half a minute ago": lambda: token(exp=int(time.time()) - 30),
    "endless": lambda: token(exp=float("inf")),
    "issue time that is text": lambda: token(iat="now"),
    "issue time that is no number": lambda: token(iat=float("nan")),
    "of the plain type": lambda: token(typ="JWT"),
    "without a type": lambda: token(typ=None),
    "another kind of JWT": lambda: token(typ="logout+jwt"),
    "type that is not text": lambda: token(typ=["at+jwt"]),
    "unknown key id": lambda: token(kid="k-2"),
    "key id that is a path": lambda: token(kid="../../../../dev/null"),
    "key id that is SQL": lambda: token(kid="' OR 1=1 --"),
    "key id that is not text": lambda: assembled({**HEADER, "kid": {"a": 1}}, good_claims(), b"x" * 64),
    "without an expiry": lambda: token(exp=None),
    "roles as text": lambda: token(roles="staff"),
    "roles that are no texts": lambda: token(roles=[["staff"]]),
    "without a session": lambda: token(sid=None),
    "without an audience": lambda: token(aud=None),
    "without an issue time": lambda: token(iat=None),
    "without a subject": lambda: token(sub=None),
    "truncated": lambda: token()[:-1],
    "without a signature": lambda: token().rpartition(".")[0] + ".",
    "two parts": lambda: token().rpartition(".")[0],
    "garbage": lambda: "garbage",
    "empty": lambda: "",
    "not ascii": lambda: "é.é.é",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_token_is_refused(forgery: str) -> None:
    with pytest.raises(InvalidToken):
        verifier.verify(FORGERIES[forgery]())


EXPIRED = {"expired", "expired half a minute ago", "endless"}


@pytest.mark.parametrize("forgery", sorted(FORGERIES.keys() - EXPIRED))
def test_forged_token_names_nobody(forgery: str) -> None:
    with pytest.raises(InvalidToken):
        verifier.read_signed(FORGERIES[forgery]())


def test_signed_token_names_its_caller_after_its_expiry() -> None:
    expired = int(time.time()) - 1000
    caller, expires_at = verifier.read_signed(token(exp=expired))
    assert (caller.user_id, caller.session_id) == ("u-1", "s-1")
    assert expires_at == expired + EXPIRED_LEEWAY_SECONDS


@pytest.mark.parametrize("spelling", ["AT+JWT", "application/at+jwt"])
def test_other_spellings_of_the_type_verify(spelling: str) -> None:
    assert verifier.verify(token(typ=spelling))[0].user_id == "u-1"


@pytest.mark.parametrize("ahead", [-60, 60])
def test_issuer_clock_may_be_off_by_a_minute(ahead: int) -> None:
    now = int(time.time()) + ahead
    assert verifier.verify(token(iat=now, exp=now + 900))[0].user_id == "u-1"
