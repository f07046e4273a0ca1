from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from chassis.auth import jwks
from chassis.auth.jwks import RemoteKeys
from chassis.problems import Unavailable
from chassis.service_client import ServiceCallFailed, ServiceClient


def jwk(kid: str) -> dict[str, Any]:
    public = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True)
    return {**public, "kid": kid, "alg": "EdDSA", "use": "sig"}


class Issuer(ServiceClient):
    """Publishes the keys in `kids`, or is away."""

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
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_keys_are_fetched_once_and_kept(clock: Clock) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer, clock)
    assert keys.find("k-1") is keys.find("k-1") is not None
    assert issuer.asked == 1


def test_a_new_key_is_found_at_once_and_a_withdrawn_one_forgotten_at_the_next_refresh(clock: Clock) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer, clock)
    keys.find("k-1")
    issuer.published = [jwk("k-2")]
    assert keys.find("k-2") is not None
    assert keys.find("k-1") is None


def test_an_unknown_key_is_asked_for_once_and_again_only_after_a_while(clock: Clock) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer, clock)
    assert [keys.find("k-9") for _ in range(5)] == [None] * 5
    assert issuer.asked == 1
    clock.now += jwks.UNKNOWN_SECONDS
    issuer.published.append(jwk("k-9"))
    assert keys.find("k-9") is not None


def test_a_storm_of_garbage_key_ids_is_not_passed_on(clock: Clock) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer, clock)
    for number in range(1000):
        assert keys.find(f"garbage-{number}") is None
    assert issuer.asked == jwks.BURST
    assert keys.find("k-1") is not None


def test_known_keys_go_on_while_the_issuer_is_away_and_it_is_not_asked_by_every_request(clock: Clock) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer, clock)
    keys.find("k-1")
    issuer.away = True
    assert [keys.find(kid) for kid in ("k-2", "k-3", "k-4")] == [None] * 3
    assert keys.find("k-1") is not None
    assert issuer.asked == 2
    issuer.away = False
    issuer.published.append(jwk("k-2"))
    clock.now += jwks.AWAY_SECONDS
    assert keys.find("k-2") is not None


def test_before_the_first_key_was_ever_fetched_nobody_is_called_a_forger(clock: Clock) -> None:
    issuer = Issuer("k-1")
    issuer.away = True
    keys = RemoteKeys(issuer, clock)
    with pytest.raises(Unavailable):
        keys.find("k-1")


def test_what_is_no_ed25519_key_is_passed_over(clock: Clock) -> None:
    issuer = Issuer("k-1")
    issuer.published += [{"kty": "oct", "kid": "k-2", "k": "c2VjcmV0"}, {"kty": "RSA", "kid": "k-3"}, {"nonsense": 1}]
    keys = RemoteKeys(issuer, clock)
    assert keys.find("k-2") is None
    assert keys.find("k-1") is not None


@pytest.mark.parametrize("published", [None, [], "none", [1], [{"kty": "oct"}]])
def test_a_broken_jwks_leaves_the_known_keys_alone(clock: Clock, published: Any) -> None:
    issuer = Issuer("k-1")
    keys = RemoteKeys(issuer, clock)
    keys.find("k-1")
    issuer.published = published
    with pytest.raises(ServiceCallFailed):
        keys.refresh()
    assert keys.find("k-1") is not None
