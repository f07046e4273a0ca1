"""A malicious user-service: order-service validates its responses."""

from __future__ import annotations

import gzip
import itertools
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
from chassis import service_client
from chassis.auth.jwt import JwtSigner
from chassis.context import Caller
from chassis.service_client import ServiceCallFailed, ServiceClient
from chassis.testing.http import closing
from order_service.sessions.session_feed import SessionFeed
from order_service.settings import Settings

Respond = Callable[[BaseHTTPRequestHandler], None]
MAX_REQUESTS = 20  # further requests get 410, so a client that never stops fails the test
ALICE = Caller("u-alice", "alice", "s-alice")
KEY, FOREIGN_KEY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def jwk(key: Ed25519PrivateKey, kid: Any) -> dict[str, Any]:
    return {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "alg": "EdDSA", "use": "sig"}


class Server:
    """An HTTP server that answers with `respond` and records the request headers."""

    def __init__(self) -> None:
        self.respond: Respond = answers(b"{}")
        self.requests: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(dict(self.headers))
                if len(outer.requests) > MAX_REQUESTS:
                    self.send_error(410)
                    return
                try:
                    outer.respond(self)
                except OSError:
                    self.close_connection = True  # the client closed the connection

            def log_message(self, *_: Any) -> None:
                """Write no access log."""

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


def answers(body: bytes, status: int = 200, **headers: str) -> Respond:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def answers_slowly(chunk: bytes, seconds: float) -> Respond:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(400):
            request.wfile.write(chunk)
            time.sleep(seconds)

    return answer


@pytest.fixture
def attacker() -> Iterator[Server]:
    with Server().running() as server:
        yield server


@pytest.fixture
def redirect_target() -> Iterator[Server]:
    with Server().running() as server:
        server.respond = answers(orjson.dumps({"keys": [jwk(FOREIGN_KEY, "k-1")], "endings": []}))
        yield server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed_and_get_no_credential(
    attacker: Server, redirect_target: Server, status: int
) -> None:
    client = ServiceClient(attacker.url, "the-credential")
    for target in (
        f"{redirect_target.url}/keys",
        f"{attacker.url}/elsewhere",
        "file:///etc/passwd",
        "//127.0.0.1:1/x",
    ):
        attacker.respond = answers(b"{}", status, Location=target)
        with pytest.raises(ServiceCallFailed):
            client.get("/keys")
    assert redirect_target.requests == []
    assert len(attacker.requests) == 4


@pytest.mark.parametrize(
    "answer",
    [
        answers(b""),
        answers(b"{"),
        answers(b"[]"),
        answers(b'"keys"'),
        answers(b"\xff\xfe{}"),
        answers(b"<html>"),
        answers(b"[" * 100_000),
        answers(b'{"a":' * 100_000),
        answers(b'{"keys": NaN}'),
        answers(b"{}", Content_Length="99"),
        answers(b"{}", status=404),
        answers(b"{}", status=500),
        answers(b'{"keys": "' + b"x" * service_client.MAX_RESPONSE_BYTES + b'"}'),
        answers(gzip.compress(b'{"keys": "' + b"x" * 10_000_000 + b'"}'), Content_Encoding="gzip"),
        answers(b"{}", Transfer_Encoding="chunked"),
        answers_slowly(b"x" * 65_536, 0),
        answers_slowly(b"x", 0.02),
    ],
)
def test_unusable_answer_fails_within_the_time_limit(
    attacker: Server, answer: Respond, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_client, "MAX_RESPONSE_SECONDS", 0.2)
    attacker.respond = answer
    before = time.monotonic()
    with pytest.raises(ServiceCallFailed):
        ServiceClient(attacker.url, "the-credential").get("/keys")
    assert time.monotonic() - before < 5


def test_client_works_again_after_an_unusable_answer(attacker: Server) -> None:
    client = ServiceClient(attacker.url, "the-credential")
    for answer in (
        answers(b"{"),
        answers(b"x" * 2 * service_client.MAX_RESPONSE_BYTES),
        answers(b"{}", 302, Location="/elsewhere"),
    ):
        attacker.respond = answer
        with pytest.raises(ServiceCallFailed):
            client.get("/keys")
        attacker.respond = answers(b'{"true": 1}')
        assert client.get("/keys") == {"true": 1}


@pytest.fixture
def order_client(
    apps: dict[str, Flask], order_database: str, attacker: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    """Return a client of an order-service that fetches its JWT keys from the attacker."""
    monkeypatch.setattr(SessionFeed, "start", lambda _: None)
    settings = Settings(database_url=order_database, token_kind="jwt", user_service_url=attacker.url)
    attacker.respond = answers(orjson.dumps({"keys": [jwk(KEY, "k-1")]}))
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


def test_only_tokens_signed_by_a_published_key_are_accepted(order_client: FlaskClient) -> None:
    assert order_client.get("/orders", headers=signed(KEY)).status_code == 200
    no_algorithm = jwt.encode({"sub": "u-alice", "sid": "s"}, "", algorithm="none", headers={"kid": "k-1"})
    deep = "eyJhIjo" + "eyJhIjo" * 400
    refused = [
        signed(FOREIGN_KEY),
        signed(FOREIGN_KEY, kid="k-2"),
        signed(FOREIGN_KEY, kid="../../etc/passwd"),
        signed(KEY, audience="another-shop"),
        {"Authorization": f"Bearer {no_algorithm}"},
        {"Authorization": f"Bearer {deep}.e30.AA"},
        {"Authorization": "Bearer W1tb" + "W1tb" * 900 + ".e30.AA"},
    ]
    for headers in refused:
        answer = order_client.get("/orders", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")  # type: ignore[index]


def test_redirected_jwks_adds_no_foreign_key(
    order_client: FlaskClient, attacker: Server, redirect_target: Server
) -> None:
    assert order_client.get("/orders", headers=signed(KEY)).status_code == 200
    attacker.respond = answers(b"", 302, Location=f"{redirect_target.url}/.well-known/jwks.json")
    answer = order_client.get("/orders", headers=signed(FOREIGN_KEY, kid="k-3"))
    assert (answer.status_code, redirect_target.requests) == (401, [])
    assert order_client.get("/orders", headers=signed(KEY)).status_code == 200


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
def test_malformed_feed_is_refused_and_ends_no_session(apps: dict[str, Flask], attacker: Server, endings: Any) -> None:
    session_feed = SessionFeed(
        apps["order-service"].services.database, ServiceClient(attacker.url, "the-credential"), None
    )
    attacker.respond = answers(orjson.dumps({"version": 7, "endings": endings}))
    with pytest.raises(ServiceCallFailed):
        session_feed.step()
    assert not session_feed.has_ended("s-1")
    assert len(attacker.requests) == 1


def test_feed_that_repeats_itself_is_asked_twice_only(apps: dict[str, Flask], attacker: Server) -> None:
    session_feed = SessionFeed(
        apps["order-service"].services.database, ServiceClient(attacker.url, "the-credential"), None
    )
    attacker.respond = answers(orjson.dumps({"version": 7, "endings": [ENDING]}))
    session_feed.step()
    assert session_feed.has_ended("s-1")
    assert len(attacker.requests) == 2


def test_feed_with_ever_new_logs_gets_four_requests_a_step(apps: dict[str, Flask], attacker: Server) -> None:
    session_feed = SessionFeed(
        apps["order-service"].services.database, ServiceClient(attacker.url, "the-credential"), None
    )
    minutes = itertools.count(10)

    def another_log(request: BaseHTTPRequestHandler) -> None:
        ending = {**ENDING, "at": f"2026-01-01T00:{next(minutes)}:00Z"}
        answers(orjson.dumps({"version": 7, "endings": [ending]}))(request)

    attacker.respond = another_log
    with pytest.raises(ServiceCallFailed):
        session_feed.step()
    assert len(attacker.requests) == 4
