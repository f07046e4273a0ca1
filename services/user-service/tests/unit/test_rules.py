from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from user_service.accounts import common_passwords, rules
from user_service.accounts.common_passwords import COMMON_PASSWORDS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "ALICE"),
        ("Straße", "STRASSE"),
        ("Ａｌｉｃｅ", "alice"),  # full width
        ("josé", "jose\u0301"),  # composed and decomposed
        ("ﬁona", "fiona"),  # a ligature
        ("\u01f0\u0323x", "J\u030c\u0323x"),  # marks that only casefolding puts out of order
    ],
)
def test_case_and_unicode_variants_have_one_digest(one: str, other: str) -> None:
    assert rules.username_digest(one) == rules.username_digest(other)


def test_different_usernames_have_different_digests() -> None:
    assert rules.username_digest("alice") != rules.username_digest("alicia")


@pytest.mark.parametrize("username", ["alice", "Ünal-Öz.99", "日本語", "a+b@c", "🦊🦊🦊", "ali\u0301ce"])
def test_username_of_visible_characters_is_accepted(username: str) -> None:
    assert rules.shows_every_character(username)


@pytest.mark.parametrize(
    "username",
    [
        *("al ice", " alice", "ali\u00a0ce", "ali\u2028ce"),  # separators
        *("ali\x00ce", "ali\nce", "ali\x7fce", "ali\x85ce"),  # control characters
        *("ali\u200bce", "ali\u202ece", "\ufeffalice", "ali\u00adce", "ali\U000e0041ce"),  # format characters
        *("ali\ue000ce", "ali\uffffce", "ali\ud800ce"),  # private, unassigned, surrogate
        *(
            "ali\u034fce",
            "ali\u115fce",
            "ali\ufe0fce",
            "ali\U000e0100ce",
            "ali\u2800ce",
        ),  # letters and marks without a glyph
    ],
)
def test_username_with_an_invisible_character_is_refused(username: str) -> None:
    assert not rules.shows_every_character(username)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Alice@Example.COM", "alice@example.com"), ("info@bücher.example.com", "info@xn--bcher-kva.example.com")],
)
def test_variants_of_an_email_address_have_one_key(one: str, other: str) -> None:
    assert rules.email_key(one) == rules.email_key(other)


def test_missing_email_address_has_no_key() -> None:
    assert rules.email_key(None) is None


@pytest.mark.parametrize(
    "email", ["alice", "alice@", "@example.com", "a@localhost", "A <a@example.com>", "a@[127.0.0.1]"]
)
def test_invalid_email_address_raises_value_error(email: str) -> None:
    with pytest.raises(ValueError):
        rules.email_key(email)


@pytest.mark.parametrize("password", ["password", "PassWord1", "12345678", "ｐａｓｓｗｏｒｄ"])
def test_common_password_is_refused(password: str) -> None:
    with pytest.raises(rules.WeakPassword, match="password is among the most common ones"):
        rules.refuse_weak(password, username="alice", email=None)


@pytest.mark.parametrize("password", ["alice.liddell", "Alice.LIDDELL", "Liddell@Example.com"])
def test_password_equal_to_username_or_email_is_refused(password: str) -> None:
    with pytest.raises(rules.WeakPassword, match="password equals the username or the email address"):
        rules.refuse_weak(password, username="Alice.Liddell", email="liddell@example.com")


def test_password_similar_to_the_username_is_accepted() -> None:
    rules.refuse_weak("alice.liddell's", username="alice.liddell", email="liddell@example.com")


def test_list_of_common_passwords_is_complete() -> None:
    assert len(COMMON_PASSWORDS) == 30_000
    assert not any(password.startswith("#") for password in COMMON_PASSWORDS)


def test_list_of_common_passwords_is_current() -> None:
    tool = Path(__file__).parents[4] / "tools/common_passwords.py"
    made = subprocess.run([sys.executable, tool], stdout=subprocess.PIPE, check=True)
    assert common_passwords.LIST.read_bytes() == made.stdout, (
        "common_passwords.txt is old: run tools/common_passwords.py"
    )
