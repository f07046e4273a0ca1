"""Deliveries go to public addresses only, to the address that was checked, and end in time."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from order_service.webhooks import rules, sender
from order_service.webhooks.sender import Undelivered

PUBLIC = "93.184.215.14"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def post(url: str, *, local: bool = True) -> int:
    return sender.post(url, b"{}", {"webhook-id": "e-1"}, local=local)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1"),
        *("192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        "192.0.0.8",
        *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1"),
        *("2001::1", "2001:db8::1", "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "ff02::1"),
    ],
)
def test_no_delivery_goes_to(address: str) -> None:
    assert not rules.may_connect(ip_address(address), local=False)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:2800:220:1::1", "2a00:1450:4001::1"])
def test_deliveries_go_to_public(address: str) -> None:
    assert rules.may_connect(ip_address(address), local=False)


def test_on_a_developers_machine_loopback_is_allowed_and_no_other_network() -> None:
    assert rules.may_connect(ip_address("127.0.0.1"), local=True)
    assert rules.may_connect(ip_address("::1"), local=True)
    assert not rules.may_connect(ip_address("192.168.1.1"), local=True)
    assert not rules.may_connect(ip_address("169.254.169.254"), local=True)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to each of the answers in turn; return the list of names that are asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: Any, *rest: Any, **options: Any) -> Any:
        if host.endswith(".test"):
            asked.append(host)
            found = answers[len(asked) - 1]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]
        return real(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("answer", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::ffff:10.0.0.1"])
def test_a_name_that_leads_to_a_private_address_is_not_called(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    resolving(monkeypatch, [answer])
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("connected"))
    with pytest.raises(Undelivered, match="address_not_public"):
        post("https://inside.test/", local=False)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "localhost", "017700000001"])
def test_other_spellings_of_loopback_are_not_called(host: str) -> None:
    with pytest.raises(Undelivered, match=r"address_not_public|unknown_host"):
        post(f"https://{host}/", local=False)


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, [PUBLIC], ["127.0.0.1"])
    connected: list[Any] = []

    def create_connection(address: Any, _seconds: float) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(Undelivered, match="no_connection"):
        post("https://rebinding.test/", local=False)
    assert (asked, connected) == (["rebinding.test"], [(PUBLIC, 443)])


def test_of_several_addresses_the_public_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["10.0.0.1", PUBLIC, "8.8.8.8"])
    connected: list[str] = []

    def create_connection(address: Any, _seconds: float) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(Undelivered, match="no_connection"):
        post("https://several.test/", local=False)
    assert connected == [PUBLIC, "8.8.8.8"]


def test_plain_http_is_refused_outside_of_a_developers_machine() -> None:
    with pytest.raises(Undelivered, match="bad_url"):
        post(f"http://{PUBLIC}/", local=False)


Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves one connection in a thread and returns the port."""
    opened: list[tuple[socket.socket, threading.Thread]] = []

    def serve(respond: Callable[[socket.socket], None]) -> int:
        server = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            try:
                connection, _ = server.accept()
                with connection:
                    respond(connection)
            except OSError:
                pass  # the client went away

        thread = threading.Thread(target=run)
        thread.start()
        opened.append((server, thread))
        port: int = server.getsockname()[1]
        return port

    yield serve
    for server, thread in opened:
        server.close()
        thread.join()


def read_request(connection: socket.socket) -> None:
    received = b""
    while not received.endswith(b"{}"):
        received += connection.recv(65_536)


def respond_with(answer: bytes) -> Callable[[socket.socket], None]:
    def respond(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    return respond


@pytest.mark.parametrize("status", [200, 204, 302, 404, 500])
def test_the_status_is_all_that_is_read(serve: Serve, status: int) -> None:
    answer = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 99999999\r\n\r\nbody".encode()
    assert post(f"http://127.0.0.1:{serve(respond_with(answer))}/") == status


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nx" * 300]
)
def test_what_is_no_http_response_is_a_failure(serve: Serve, answer: bytes) -> None:
    with pytest.raises(Undelivered, match=r"no_http_response|no_connection"):
        post(f"http://127.0.0.1:{serve(respond_with(answer))}/")


def drip(connection: socket.socket) -> None:
    read_request(connection)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        threading.Event().wait(0.01)


def hang(connection: socket.socket) -> None:
    while connection.recv(1):
        pass


@pytest.mark.parametrize("endless", [hang, drip])
def test_an_endpoint_without_an_end_is_left_after_the_time_limit(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, endless: Any
) -> None:
    monkeypatch.setattr(sender, "TOTAL_SECONDS", 0.2)
    with pytest.raises(Undelivered, match="timeout"):
        post(f"http://127.0.0.1:{serve(endless)}/")


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Return the TLS context of a server with a certificate of its own; ca.pem is to be trusted."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(1))
    builder = builder.not_valid_after(now + datetime.timedelta(1))
    made = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(("host", "outcome"), [("hooks.test", "200"), ("other.test", "bad_certificate")])
def test_tls_checks_the_name_although_the_connection_goes_to_an_address(
    *, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, outcome: str
) -> None:
    server = certificate(tmp_path, "hooks.test")
    resolving(monkeypatch, ["127.0.0.1"])
    monkeypatch.setattr(sender, "_tls", lambda: ssl.create_default_context(cafile=str(tmp_path / "ca.pem")))

    def respond(connection: socket.socket) -> None:
        with closing(server.wrap_socket(connection, server_side=True)) as secure:
            read_request(secure)
            secure.sendall(OK)

    try:
        found = str(post(f"https://{host}:{serve(respond)}/"))
    except Undelivered as failure:
        found = str(failure)
    assert found == outcome


def test_pauses_grow_to_six_hours() -> None:
    pauses = [rules.pause_seconds(attempts) for attempts in range(1, 30)]
    assert 10 <= pauses[0] <= 12
    assert 20 <= pauses[1] <= 24
    assert 6 * 3600 <= pauses[-1] <= 7.2 * 3600
