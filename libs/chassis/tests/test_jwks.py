from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt import jwks_client
from jwt.algorithms import OKPAlgorithm

from chassis.auth import jwks
from chassis.auth.jwks import RemoteKeys
from chassis.problems import Unavailable
from chassis.service_client import ServiceCallFailed, ServiceClient


def jwk(kid: object) -> dict[str, Any]:
    public = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True)
    return {**public, "kid": kid, "alg": "EdDSA", "use": "sig"}


class Issuer(ServiceClient):
    """A fake issuer: publish these keys, or fail while `away`."""

    def __init__(self, *kids: str) -> None:
        self.published = [jwk(kid) for kid in kids]
        self.away = False
        self.asked = 0

    def get(self, path: str, **_: str | int) -> dict[str, Any]:
        assert path == "/.well-known/jwks.json"
        self.asked += 1
        if self.away:
            raise ServiceCallFailed("away")
        return {"keys": self.published}


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Set the clock of RemoteKeys and of PyJWKClient, whose cooldown it uses."""
    clock = Clock()
    monkeypatch.setattr(jwks, "time", clock)
    monkeypatch.setattr(jwks_client, "time", clock)
    return clock


def test_keys_are_fetched_once_and_cached() -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer)
    assert keys.find("k-1") is keys.find("k-1") is not None
    assert issuer.asked == 1


def test_new_key_is_found_and_withdrawn_key_is_forgotten() -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer)
    keys.find("k-1")
    issuer.published = [jwk("k-2")]
    assert keys.find("k-2") is not None
    assert keys.find("k-1") is None


def test_refresh_forgets_withdrawn_keys() -> None:
    issuer = Issuer("k-1", "k-2")
    keys = RemoteKeys(issuer)
    keys.find("k-1")
    issuer.published.pop(0)
    keys.refresh()
    assert keys.find("k-1") is None
    assert keys.find("k-2") is not None


def test_unknown_key_ids_cause_one_fetch_per_cooldown(clock: Clock) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer)
    keys.find("k-1")
    for second in range(1, 4):
        assert {keys.find(f"unknown-{number}") for number in range(1000)} == {None}
        assert issuer.asked == 1 + second
        clock.now += jwks.UNKNOWN_KEY_COOLDOWN_SECONDS
    assert keys.find("k-1") is not None


def test_key_published_during_the_cooldown_is_found_after_it(clock: Clock) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer)
    keys.find("k-2")
    issuer.published.append(jwk("k-2"))
    assert keys.find("k-2") is None
    clock.now += jwks.UNKNOWN_KEY_COOLDOWN_SECONDS
    assert keys.find("k-2") is not None


def test_failed_issuer_is_not_asked_and_known_keys_stay(clock: Clock) -> None:
    # given
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer)
    keys.find("k-1")
    # when
    issuer.away = True
    assert [keys.find(kid) for kid in ("k-2", "k-3", "k-4")] == [None] * 3
    # then
    assert keys.find("k-1") is not None
    assert issuer.asked == 2
    # and when it is back
    issuer.away = False
    issuer.published.append(jwk("k-2"))
    assert keys.find("k-2") is None
    clock.now += jwks.FAILURE_COOLDOWN_SECONDS
    assert keys.find("k-2") is not None


def test_known_keys_are_found_while_another_thread_fetches() -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer)
    keys.find("k-1")
    found: list[object] = []

    def answer_after_a_look_up(path: str, **_: str | int) -> dict[str, Any]:
        found.append(ThreadPoolExecutor(1).submit(keys.find, "k-1").result(10))
        return {"keys": issuer.published}

    issuer.get = answer_after_a_look_up  # type: ignore[method-assign]
    keys.find("k-2")
    assert found == [keys.find("k-1")]


def test_find_raises_unavailable_while_no_key_is_known() -> None:
    issuer = Issuer("k-1")
    issuer.away = True
    keys = RemoteKeys(issuer)
    with pytest.raises(Unavailable):
        keys.find("k-1")


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "oct", "kid": "k-2", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "k-2"},
        {"nonsense": 1},
        {**jwk("k-2"), "use": "enc"},
        OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True) | {"kid": "k-2"},
    ],
)
def test_other_keys_than_public_ed25519_keys_are_ignored(other: dict[str, Any]) -> None:
    issuer = Issuer("k-1")
    issuer.published.append(other)
    keys = RemoteKeys(issuer)
    assert [keys.find("k-2"), keys.find("k-2")] == [None, None]
    assert keys.find("k-1") is not None


def test_refresh_fetches_at_once_after_a_failed_fetch(clock: Clock) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer)
    issuer.away = True
    with pytest.raises(Unavailable):
        keys.find("k-1")
    issuer.away = False
    keys.refresh()
    assert keys.find("k-1") is not None


@pytest.mark.parametrize(
    "published",
    [
        None,
        [],
        "none",
        [1],
        [{"kty": "oct"}],
        [{"kty": {}, "kid": "k-1"}],
        [{"kty": "oct", "kid": "k-1", "k": "c2VjcmV0"}],
        [jwk(["k-1"])],
        [jwk({"k": 1})],
        [jwk(None)],
        [jwk(7)],
        [{**jwk("k-1"), "x": "a"}],
        [{**jwk("k-1"), "x": 7}],
        [{**jwk("k-1"), "crv": "Ed448"}],
    ],
)
def test_jwks_without_a_usable_key_leaves_the_known_keys(published: Any) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer)
    known = keys.find("k-1")
    issuer.published = published
    with pytest.raises(ServiceCallFailed):
        keys.refresh()
    assert keys.find("k-1") is known is not None
