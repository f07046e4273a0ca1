"""How long verifying a token takes, the first time and again."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bench.figures import Comparison
from chassis.auth.jwt import JwtSigner, JwtVerifier
from chassis.auth.tokens import CachingVerifier, DemoTokens, TokenVerifier
from chassis.context import Caller
from chassis.settings import LOCAL_SECRET

ROUNDS, TOKENS = 5, 1_000
AT_MOST = 0.2
CALLERS = [Caller(f"u-{n:032}", f"user{n}", f"s-{n:032}") for n in range(TOKENS)]
NAMES = {"issuer": "bench", "audience": "shop"}


class OneKey:
    """A key ring in memory."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._public = self._key.public_key()

    def signing(self) -> tuple[str, Ed25519PrivateKey]:
        return "1", self._key

    def find(self, _: str) -> Ed25519PublicKey:
        return self._public


def measure() -> Iterator[Comparison]:
    demo, ring = DemoTokens((LOCAL_SECRET,), 900), OneKey()
    jwt = JwtSigner(ring, ttl_seconds=900, **NAMES)
    yield _compare("demo", demo, [demo.sign(caller) for caller in CALLERS])
    yield _compare("Ed25519", JwtVerifier(ring, **NAMES), [jwt.sign(caller) for caller in CALLERS])


def _compare(kind: str, verifier: TokenVerifier, tokens: list[str]) -> Comparison:
    rounds = [_round(verifier, tokens) for _ in range(ROUNDS)]
    again, first = zip(*rounds, strict=True)
    return Comparison(f"{kind} token", "µs", again, first, AT_MOST, at_least=False)


def _round(verifier: TokenVerifier, tokens: list[str]) -> tuple[float, float]:
    """Return what a token costs that has been seen, and what one costs that has not, in microseconds."""
    remembering = CachingVerifier(verifier)
    first = _each(remembering, tokens)
    return _each(remembering, tokens), first


def _each(remembering: CachingVerifier, tokens: list[str]) -> float:
    begun = time.perf_counter()
    for token in tokens:
        remembering.caller(token)
    return (time.perf_counter() - begun) / len(tokens) * 1e6
