"""Mails reach a real SMTP server, encrypted where that is needed, and its refusals are told apart."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.jobs.tasks import Permanent
from chassis.mail import Mail, Refused, Unavailable, send
from chassis.mail.templates import Templates
from chassis.settings import Settings as ChassisSettings

Start = Callable[..., "Server"]


class Settings(ChassisSettings):
    service: ClassVar[str] = "test-service"


def settings(**values: Any) -> Settings:
    sender = {"mail_from": "The Shop <shop@shop.example>"}
    return Settings(database_url="postgresql://nowhere/none", **(sender | values))


MAIL = Mail(
    to="ada@example.com", subject="Your order", text="Thanks ✓\n", html="<p>Thanks ✓</p>", message_id="order-o-1"
)


class Handler:
    """Accept mails, or answer as told."""

    def __init__(self, rcpt: str = "", data: str = "") -> None:
        self.received: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self._rcpt, self._data = rcpt, data

    async def handle_RCPT(self, _s: SMTP, _e: Session, envelope: Envelope, address: str, _o: list[str]) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self._rcpt or "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if not self._data:
            self.envelopes.append(envelope)
            content = envelope.content
            assert isinstance(content, bytes)
            self.received.append(message_from_bytes(content, policy=policy.default))  # type: ignore[arg-type]
        return self._data or "250 OK"


class Server(Controller):
    """An SMTP server on loopback."""

    handler: Handler

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Server] = []

    def start(handler: Handler | None = None, **options: Any) -> Server:
        started.append(Server(handler or Handler(), hostname="127.0.0.1", port=free_port(), **options))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return the context of a server whose certificate this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "mail.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(pem) + private)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def accept_shop(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"shop", b"se:cret"), handled=False)


def test_mail_arrives_with_text_html_and_the_headers_of_a_machine(start: Start) -> None:
    server = start()
    send(settings(mail_url=f"smtp://{server.address}"), MAIL)
    (message,) = server.handler.received
    assert (message["From"], message["To"]) == ("The Shop <shop@shop.example>", "ada@example.com")
    assert (message["Subject"], message["Auto-Submitted"]) == ("Your order", "auto-generated")
    assert message["Message-ID"] == "<order-o-1@shop.example>"
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    assert [body.get_content().strip() for body in bodies if body] == ["Thanks ✓", "<p>Thanks ✓</p>"]
    assert (server.handler.envelopes[0].mail_from, server.handler.envelopes[0].rcpt_tos) == (
        "shop@shop.example",
        ["ada@example.com"],
    )


def test_starttls_comes_before_the_password(start: Start, certificate: ssl.SSLContext) -> None:
    server = start(tls_context=certificate, authenticator=accept_shop, auth_required=True)
    send(settings(mail_url=f"smtp://shop:se%3Acret@{server.address}"), MAIL)
    assert len(server.handler.received) == 1


def test_smtps_is_encrypted_from_the_start(start: Start, certificate: ssl.SSLContext) -> None:
    server = start(ssl_context=certificate)
    send(settings(mail_url=f"smtps://{server.address}"), MAIL)
    assert len(server.handler.received) == 1


def test_no_password_goes_to_a_server_without_encryption(start: Start) -> None:
    server = start(authenticator=accept_shop, auth_require_tls=False)
    with pytest.raises(Unavailable, match="offers no STARTTLS"):
        send(settings(mail_url=f"smtp://shop:se%3Acret@{server.address}"), MAIL)
    assert server.handler.received == []


def test_no_mail_of_production_goes_out_unencrypted(start: Start) -> None:
    server = start()
    unencrypted = settings(mail_url=f"smtp://{server.address}")
    with pytest.raises(Unavailable, match="offers no STARTTLS"):
        send(unencrypted.model_copy(update={"app_env": "prod"}), MAIL)
    assert server.handler.received == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_server_with_an_unknown_certificate_gets_nothing(
    start: Start, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    server = start(**({"tls_context": certificate} if scheme == "smtp" else {"ssl_context": certificate}))
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        send(settings(mail_url=f"{scheme}://{server.address}"), MAIL)
    assert server.handler.received == []


def test_wrong_password_is_nobodys_refusal(start: Start, certificate: ssl.SSLContext) -> None:
    server = start(tls_context=certificate, authenticator=accept_shop, auth_required=True)
    with pytest.raises(Unavailable, match="SMTPAuthenticationError 535"):
        send(settings(mail_url=f"smtp://shop:wrong@{server.address}"), MAIL)


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ({"rcpt": "550 5.1.1 ada@example.com is unknown"}, Refused),
        ({"rcpt": "450 4.2.0 greylisted, ada@example.com"}, Unavailable),
        ({"rcpt": "530 5.7.0 authentication required"}, Unavailable),
        ({"data": "554 5.7.1 no spam to ada@example.com"}, Refused),
        ({"data": "452 4.3.1 disk full"}, Unavailable),
    ],
)
def test_server_answers_decide_whether_it_is_tried_again(
    start: Start, caplog: pytest.LogCaptureFixture, answers: dict[str, str], outcome: type[Exception]
) -> None:
    server = start(Handler(**answers))
    code = next(iter(answers.values()))[:3]
    with pytest.raises(outcome, match=code) as refusal:
        send(settings(mail_url=f"smtp://{server.address}"), MAIL)
    assert issubclass(Refused, Permanent)
    assert not issubclass(Unavailable, Permanent)
    ours = [vars(record) for record in caplog.records if record.name.startswith("chassis")]  # the server logs too
    assert "ada" not in str(refusal.value) + repr(ours)


def test_server_that_is_away_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable, match="refused"):
        send(settings(mail_url="smtp://127.0.0.1:1"), MAIL)
    assert "ada" not in caplog.text


def test_logs_name_the_message_and_no_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        send(settings(mail_dir=tmp_path), MAIL)
    assert [vars(record)["message_id"] for record in caplog.records] == ["order-o-1"]
    assert "ada" not in repr([vars(record) for record in caplog.records])


def test_without_a_server_a_mail_becomes_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    for _ in range(2):
        send(settings(mail_dir=folder), MAIL)
    assert [file.name for file in folder.iterdir()] == ["order-o-1.eml"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert message_from_bytes((folder / "order-o-1.eml").read_bytes())["To"] == "ada@example.com"


def test_without_server_and_folder_the_mail_waits() -> None:
    with pytest.raises(Unavailable, match="neither MAIL_URL nor MAIL_DIR"):
        send(settings(), MAIL)


@pytest.mark.parametrize(
    "change",
    [
        {"to": "ada@example.com\r\nBcc: eve@example.com"},
        {"to": "ada@example.com, eve@example.com"},
        {"to": "Ada <ada@example.com>"},
        {"to": "ada"},
        {"to": ""},
        {"subject": "Hello\r\nBcc: eve@example.com"},
        {"subject": "Hello\nBcc: eve@example.com"},
    ],
)
def test_no_value_adds_a_header_or_a_recipient(start: Start, change: dict[str, str]) -> None:
    server = start()
    members = vars(MAIL) | change
    with pytest.raises(Refused):
        send(settings(mail_url=f"smtp://{server.address}"), Mail(**members))
    assert server.handler.received == []


@pytest.mark.parametrize("message_id", ["", "a b", "a>\r\nBcc: x", "../x", ".x", "a" * 101])
def test_message_id_of_other_characters_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="message id"):
        Mail(**(vars(MAIL) | {"message_id": message_id}))


def test_domain_of_another_script_is_sent_in_ascii(start: Start) -> None:
    server = start()
    send(settings(mail_url=f"smtp://{server.address}"), Mail(**(vars(MAIL) | {"to": "ada@bücher.example"})))
    assert server.handler.envelopes[0].rcpt_tos == ["ada@xn--bcher-kva.example"]


def test_address_that_the_server_cannot_take_is_refused(start: Start) -> None:
    server = start()
    with pytest.raises(Refused):
        send(settings(mail_url=f"smtp://{server.address}"), Mail(**(vars(MAIL) | {"to": "ädä@example.com"})))


def test_a_template_has_subject_text_and_escaped_html(tmp_path: Path) -> None:
    (tmp_path / "hello.txt").write_text("Hello\t{{ name }}\n\nDear {{ name }}\n")
    (tmp_path / "hello.html").write_text('{% extends "mail.html" %}{% block content %}<p>{{ name }}</p>{% endblock %}')
    brand = {"name": "The Shop", "colours": {"accent": "#000000", "on_accent": "#ffffff"}}
    content = Templates(tmp_path, brand=brand).render("hello", name="<Ada>\n& Co")
    assert content.subject == "Hello <Ada>"
    assert content.text.startswith("& Co")  # a line break in a value moves text, never a header
    assert "<p>&lt;Ada&gt;\n&amp; Co</p>" in content.html


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "smtp://mail.example:port"])
def test_mail_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(SystemExit, match="MAIL_URL"):
        settings(mail_url=url)


@pytest.mark.parametrize("sender", ["shop", "a@b\r\nBcc: c@d", "a@b, c@d"])
def test_sender_that_is_no_address_is_refused(sender: str) -> None:
    with pytest.raises(SystemExit, match="MAIL_FROM"):
        settings(mail_from=sender)


def test_a_worker_that_cannot_send_mail_refuses_to_start(tmp_path: Path) -> None:
    settings(mail_url="smtps://mail.example").require_mail()
    settings(mail_dir=tmp_path).require_mail()
    with pytest.raises(SystemExit, match="MAIL_URL is needed"):
        settings().require_mail()
    with pytest.raises(SystemExit, match="MAIL_URL is needed"):
        settings(mail_dir=tmp_path).model_copy(update={"app_env": "prod"}).require_mail()
