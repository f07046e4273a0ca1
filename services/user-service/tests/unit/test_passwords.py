from __future__ import annotations

from unittest.mock import Mock

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import VerificationError, VerifyMismatchError

from user_service.accounts.passwords import Passwords


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


def test_hash_is_argon2id_with_the_parameters_of_owasp(passwords: Passwords) -> None:
    parameters = extract_parameters(passwords.hash("correct horse"))
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)


def test_hashes_of_one_password_differ(passwords: Passwords) -> None:
    assert passwords.hash("correct horse") != passwords.hash("correct horse")


@pytest.mark.parametrize(
    ("typed", "right"),
    [("correct horse", True), ("correct horsf", False), ("Correct horse", False), ("correct horse ", False)],
)
def test_only_the_right_password_matches(passwords: Passwords, typed: str, right: bool) -> None:
    assert passwords.match(typed, passwords.hash("correct horse")) is right


def test_decomposed_password_matches_the_composed_one(passwords: Passwords) -> None:
    assert passwords.match("passe\u0301word", passwords.hash("pass\u00e9word")) is True


def test_without_stored_hash_a_dummy_is_verified_and_never_matches() -> None:
    # given
    hasher = Mock(**{"hash.return_value": "dummy", "verify.side_effect": VerifyMismatchError})
    # when
    matched = Passwords(hasher).match("correct horse", None)
    # then
    assert matched is False
    hasher.verify.assert_called_once_with("dummy", "correct horse")


def test_password_of_the_dummy_hash_matches_nothing() -> None:
    hasher = Mock(**{"hash.return_value": "dummy", "verify.return_value": True})
    assert Passwords(hasher).match("password of the dummy", None) is False


def test_failed_verification_is_not_reported_as_a_wrong_password() -> None:
    hasher = Mock(**{"hash.return_value": "dummy", "verify.side_effect": VerificationError("Memory allocation error")})
    with pytest.raises(VerificationError):
        Passwords(hasher).match("correct horse", "stored")


def test_hash_with_other_parameters_is_outdated(passwords: Passwords) -> None:
    weaker = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    assert passwords.outdated(weaker.hash("correct horse")) is True
    assert passwords.outdated(passwords.hash("correct horse")) is False
