"""A user-service that lies, or somebody in its place: order-service believes nothing that it cannot check."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from jwt.algorithms import OKPAlgorithm

import order_service
from chassis import service_client as peers
from chassis.auth.jwks import RemoteKeys
from chassis.auth.jwt import JwtSigner
from chassis.context import Caller
from chassis.service_client import ServiceCallFailed, ServiceClient
from chassis.testing.http import closing
from order_service.sessions.follower import Follower
from order_service.settings import Settings

Answer = Callable[[BaseHTTPRequestHandler], None]
PATIENCE = 20  # requests that a liar answers: a client that would ask for ever is told so
ALICE = Caller("u-alice", "alice", "s-alice")
KEY, STRANGERS_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def jwk(key: Ed25519PrivateKey, kid: Any) -> dict[str, Any]:
    return {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "EdDSA", "use": "sig"}


class Server:
    """Answers every request as it is told to, and keeps the headers it was sent."""

    def __init__(self) -> None:
        self.answer: Answer = says(b"{}")
        self.heard: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.heard.append(dict(self.headers))
                if len(outer.heard) > PATIENCE:
                    self.send_error(410)
                    return
                try:
                    outer.answer(self)
                except OSError:
                    self.close_connection = True  # the client would not hear more

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator[Server]:
        thread = Thread(target=self._http.serve_forever, args=(0.01,))
        thread.start()
        yield self
        self._http.shutdown()
        thread.join()
        self._http.server_close()


def says(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def drips(chunk: bytes, seconds: float) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(400):
            request.wfile.write(chunk)
            time.sleep(seconds)

    return answer


@pytest.fixture
def liar() -> Iterator[Server]:
    with Server().running() as server:
        yield server


@pytest.fixture
def accomplice() -> Iterator[Server]:
    with Server().running() as server:
        server.answer = says(orjson.dumps({"keys": [jwk(STRANGERS_KEY, "k-1")], "endings": []}))
        yield server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_credential_goes_nowhere_else(
    liar: Server, accomplice: Server, status: int
) -> None:
    peer = ServiceClient(liar.url, "the-credential")
    for target in (f"{accomplice.url}/keys", f"{liar.url}/elsewhere", "file:///etc/passwd", "//127.0.0.1:1/x"):
        liar.answer = says(b"{}", status, Location=target)
        with pytest.raises(ServiceCallFailed):
            peer.get("/keys")
    assert accomplice.heard == []
    assert len(liar.heard) == 4


@pytest.mark.parametrize(
    "lie",
    [
        says(b""),
        says(b"{"),
        says(b"[]"),
        says(b'"keys"'),
        says(b"\xff\xfe{}"),
        says(b"<html>"),
        says(b"[" * 100_000),
        says(b'{"a":' * 100_000),
        says(b'{"keys": NaN}'),
        says(b"{}", Content_Length="99"),
        says(b"{}", status=404),
        says(b"{}", status=500),
        says(b'{"keys": "' + b"x" * peers.LARGEST_ANSWER + b'"}'),
        says(gzip.compress(b'{"keys": "' + b"x" * 10_000_000 + b'"}'), Content_Encoding="gzip"),
        says(b"{}", Transfer_Encoding="chunked"),
        drips(b"x" * 65_536, 0),
        drips(b"x", 0.02),
    ],
)
def test_an_answer_that_is_none_is_a_failure_within_a_moment(
    liar: Server, lie: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "LONGEST_ANSWER_SECONDS", 0.2)
    liar.answer = lie
    before = time.monotonic()
    with pytest.raises(ServiceCallFailed):
        ServiceClient(liar.url, "the-credential").get("/keys")
    assert time.monotonic() - before < 5


def test_after_a_lie_the_truth_is_heard_again(liar: Server) -> None:
    peer = ServiceClient(liar.url, "the-credential")
    for lie in (says(b"{"), says(b"x" * 2 * peers.LARGEST_ANSWER), says(b"{}", 302, Location="/elsewhere")):
        liar.answer = lie
        with pytest.raises(ServiceCallFailed):
            peer.get("/keys")
        liar.answer = says(b'{"true": 1}')
        assert peer.get("/keys") == {"true": 1}


@pytest.mark.parametrize(
    "key",
    [
        jwk(STRANGERS_KEY, ["k-1"]),
        jwk(STRANGERS_KEY, {"k": 1}),
        jwk(STRANGERS_KEY, None),
        jwk(STRANGERS_KEY, 7),
        {**jwk(STRANGERS_KEY, "k-1"), "x": "a"},
        {**jwk(STRANGERS_KEY, "k-1"), "x": 7},
        {**jwk(STRANGERS_KEY, "k-1"), "crv": "Ed448"},
        {"kty": {}, "kid": "k-1"},
        {"kty": "oct", "kid": "k-1", "k": "c2VjcmV0"},
    ],
)
def test_a_jwks_of_unusable_keys_leaves_the_known_ones(liar: Server, key: dict[str, Any]) -> None:
    keys = RemoteKeys(ServiceClient(liar.url, "the-credential"))
    liar.answer = says(orjson.dumps({"keys": [jwk(KEY, "k-1")]}))
    known = keys.find("k-1")
    liar.answer = says(orjson.dumps({"keys": [key]}))
    with pytest.raises(ServiceCallFailed):
        keys.refresh()
    assert keys.find("k-1") is known is not None


@pytest.fixture
def order_client(
    apps: dict[str, Flask], order_database: str, liar: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """Ask an order-service that takes JWTs and its keys from the server."""
    monkeypatch.setattr(Follower, "start", lambda _: None)
    settings = Settings(database_url=order_database, token_kind="jwt", user_service_url=liar.url)
    liar.answer = says(orjson.dumps({"keys": [jwk(KEY, "k-1")]}))
    with closing(order_service.create_app(settings)) as app:
        yield app.test_client()


class OneKey:
    def __init__(self, kid: str, key: Ed25519PrivateKey) -> None:
        self._pair = kid, key

    def signing(self) -> tuple[str, Ed25519PrivateKey]:
        return self._pair


def signed(key: Ed25519PrivateKey, kid: str = "k-1", audience: str = "b2c-shop") -> dict[str, str]:
    signer = JwtSigner(OneKey(kid, key), issuer="b2c-user-service", audience=audience, ttl_seconds=900)
    return {"Authorization": f"Bearer {signer.sign(ALICE)}"}


def test_only_a_token_that_a_published_key_has_signed_is_a_customers(order_client: FlaskClient) -> None:
    assert order_client.get("/orders", headers=signed(KEY)).status_code == 200
    no_algorithm = jwt.encode({"sub": "u-alice", "sid": "s"}, "", algorithm="none", headers={"kid": "k-1"})
    deep = "eyJhIjo" + "eyJhIjo" * 400
    refused = [
        signed(STRANGERS_KEY),
        signed(STRANGERS_KEY, kid="k-2"),
        signed(STRANGERS_KEY, kid="../../etc/passwd"),
        signed(KEY, audience="another-shop"),
        {"Authorization": f"Bearer {no_algorithm}"},
        {"Authorization": f"Bearer {deep}.e30.AA"},
        {"Authorization": "Bearer W1tb" + "W1tb" * 900 + ".e30.AA"},
    ]
    for headers in refused:
        answer = order_client.get("/orders", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")  # type: ignore[index]


def test_a_jwks_redirected_to_a_strangers_key_makes_the_stranger_nobody(
    order_client: FlaskClient, liar: Server, accomplice: Server
) -> None:
    assert order_client.get("/orders", headers=signed(KEY)).status_code == 200
    liar.answer = says(b"", 302, Location=f"{accomplice.url}/.well-known/jwks.json")
    answer = order_client.get("/orders", headers=signed(STRANGERS_KEY, kid="k-3"))
    assert (answer.status_code, accomplice.heard) == (401, [])
    assert order_client.get("/orders", headers=signed(KEY)).status_code == 200


def test_a_token_that_a_withdrawn_key_has_signed_is_forgotten_within_a_minute(
    order_client: FlaskClient, liar: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = signed(KEY)
    assert order_client.get("/orders", headers=headers).status_code == 200
    app = order_client.application
    liar.answer = says(orjson.dumps({"keys": [jwk(STRANGERS_KEY, "k-2")]}))
    app.services.tokens._verifier._keys.refresh()
    monkeypatch.setattr(app.services.tokens, "_clock", lambda: time.time() + 61)
    assert order_client.get("/orders", headers=headers).status_code == 401


ENDING = {"version": 7, "at": "2026-01-01T00:00:00Z", "session_id": "s-1", "user_id": None}


@pytest.mark.parametrize(
    "endings",
    [
        None,
        "none",
        {},
        [1],
        [[]],
        [{}],
        [{**ENDING, "version": "x"}],
        [{**ENDING, "version": 2**63}],
        [{**ENDING, "version": 0}],
        [{**ENDING, "version": -7}],
        [{**ENDING, "at": "soon"}],
        [{**ENDING, "session_id": ["s-1"]}],
        [{**ENDING, "session_id": "s-\x00"}],
        [{**ENDING, "session_id": "s" * 1000}],
        [{**ENDING, "user_id": {"$ne": None}}],
        [ENDING, ENDING],
        [ENDING, {**ENDING, "version": 3}],
    ],
)
def test_a_feed_that_is_none_teaches_nothing(apps: dict[str, Flask], liar: Server, endings: Any) -> None:
    follower = Follower(apps["order-service"].services.database, ServiceClient(liar.url, "the-credential"), None)
    liar.answer = says(orjson.dumps({"version": 7, "endings": endings}))
    with pytest.raises(ServiceCallFailed):
        follower.step()
    assert not follower.has_ended("s-1")
    assert len(liar.heard) == 1


def test_a_feed_that_says_the_same_for_ever_is_not_asked_for_ever(apps: dict[str, Flask], liar: Server) -> None:
    follower = Follower(apps["order-service"].services.database, ServiceClient(liar.url, "the-credential"), None)
    liar.answer = says(orjson.dumps({"version": 7, "endings": [ENDING]}))
    with pytest.raises(ServiceCallFailed):
        follower.step()
    assert follower.has_ended("s-1")
    assert len(liar.heard) == 2
