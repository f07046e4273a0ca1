from __future__ import annotations

import time

import pytest
from itsdangerous import TimestampSigner

from chassis.auth.tokens import EXPIRED_LEEWAY_SECONDS, CachingVerifier, DemoTokens, serializer
from chassis.context import Caller
from chassis.problems import InvalidToken

ALICE = Caller("u-1", "alice", "s-1")
KEY, OLD_KEY, OTHER_KEY = "k" * 32, "o" * 32, "x" * 32


def test_signed_token_verifies_as_its_caller() -> None:
    tokens = DemoTokens((KEY,), 900)
    assert tokens.verify(tokens.sign(ALICE))[0] == ALICE


def test_roles_travel_in_the_token_and_a_token_without_them_has_none() -> None:
    tokens, staff = DemoTokens((KEY,), 900), ALICE._replace(roles=("staff",))
    assert tokens.verify(tokens.sign(staff))[0] == staff
    assert tokens.verify(tokens.sign(ALICE))[0].roles == ()


@pytest.mark.parametrize("roles", ["staff", 1, [1], {"staff": True}])
def test_a_token_whose_roles_are_no_list_of_texts_is_refused(roles: object) -> None:
    token = serializer((KEY,)).dumps({"sub": "u-1", "username": "alice", "sid": "s-1", "roles": roles})
    with pytest.raises(InvalidToken):
        DemoTokens((KEY,), 900).verify(str(token))


def test_the_newest_key_signs_and_older_ones_still_verify() -> None:
    rotated = DemoTokens((KEY, OLD_KEY), 900)
    assert rotated.verify(DemoTokens((OLD_KEY,), 900).sign(ALICE))[0] == ALICE
    assert DemoTokens((KEY,), 900).verify(rotated.sign(ALICE))[0] == ALICE
    with pytest.raises(InvalidToken):
        rotated.verify(DemoTokens((OTHER_KEY,), 900).sign(ALICE))


@pytest.mark.parametrize("age", [0, 1000])
def test_a_signed_token_names_its_caller_after_its_expiry(monkeypatch: pytest.MonkeyPatch, age: int) -> None:
    signed_at = int(time.time()) - age
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: signed_at)
    tokens = DemoTokens((KEY,), 900)
    token = tokens.sign(ALICE)
    assert CachingVerifier(tokens).read_signed(token) == (ALICE, signed_at + 900 + EXPIRED_LEEWAY_SECONDS)
    if age:
        with pytest.raises(InvalidToken):
            tokens.verify(token)


def test_a_token_of_another_key_or_of_the_future_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = CachingVerifier(DemoTokens((KEY,), 900))
    foreign = DemoTokens((OTHER_KEY,), 900).sign(ALICE)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) + 1000)
    for bad in (foreign, DemoTokens((KEY,), 900).sign(ALICE), "", "x" * 5000):
        with pytest.raises(InvalidToken):
            tokens.read_signed(bad)


class CountingVerifier:
    def __init__(self, expires_at: float) -> None:
        self.calls = 0
        self.expires_at = expires_at

    def verify(self, token: str) -> tuple[Caller, float]:
        self.calls += 1
        if token == "bad":
            raise InvalidToken
        return ALICE, self.expires_at

    read_signed = verify


def test_a_token_is_verified_once_and_again_when_it_has_expired() -> None:
    now = [1000.0]
    verifier = CountingVerifier(expires_at=1010)
    tokens = CachingVerifier(verifier, clock=lambda: now[0])
    assert [tokens.caller("t"), tokens.caller("t")] == [ALICE, ALICE]
    assert verifier.calls == 1
    now[0] = 1010.0
    tokens.caller("t")
    assert verifier.calls == 2


def test_token_that_never_expires_is_verified_again_after_a_minute() -> None:
    now = [1000.0]
    verifier = CountingVerifier(expires_at=1e12)
    tokens = CachingVerifier(verifier, clock=lambda: now[0])
    for now[0], verified in ((1000.0, 1), (1059.0, 1), (1060.0, 2)):
        tokens.caller("t")
        assert verifier.calls == verified


def test_refused_token_is_verified_again() -> None:
    verifier = CountingVerifier(expires_at=1e12)
    tokens = CachingVerifier(verifier)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            tokens.caller("bad")
    assert verifier.calls == 2


def test_cache_of_verified_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.auth.tokens._MOST_CACHED", 10)
    verifier = CountingVerifier(expires_at=1e12)
    tokens = CachingVerifier(verifier)
    for number in range(25):
        tokens.caller(f"t{number}")
    for number in range(25):
        tokens.caller(f"t{number}")
    assert verifier.calls == 50
