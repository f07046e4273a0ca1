"""Send a mail by the server of MAIL_URL, or write it into the folder MAIL_DIR."""

from __future__ import annotations

import logging
import smtplib
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from chassis.mail.message import Mail, Refused, Unavailable, compose, domain
from chassis.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20  # for each step of the conversation
PERMANENT = 500
AUTHENTICATION_REQUIRED = 530  # our fault, not the address's


def send(settings: Settings, mail: Mail) -> None:
    """Send the mail; raise Refused (for good) or Unavailable (try again later).

    A process that ends between the server's acceptance and its own next step sends the mail again, with the same
    Message-ID.
    """
    message = compose(mail, settings.mail_from)
    if settings.mail_url:
        _send_by_server(settings, message)
    elif settings.mail_dir:
        _write(settings.mail_dir, mail.message_id, message)
    else:
        raise Unavailable("neither MAIL_URL nor MAIL_DIR is set")
    log.info("mail_sent", extra={"message_id": mail.message_id})


def _write(folder: Path, message_id: str, message: EmailMessage) -> None:
    """Write `<message id>.eml`; a second attempt replaces the file."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(message.as_bytes())
        Path(file.name).rename(folder / f"{message_id}.eml")
    except OSError as failure:
        raise Unavailable(f"MAIL_DIR: {failure.strerror}") from None


def _send_by_server(settings: Settings, message: EmailMessage) -> None:
    sender, recipient = parseaddr(settings.mail_from)[1], str(message["To"].addresses[0].addr_spec)
    server = _connect(settings)
    try:
        with _unavailable(), _refusals():
            server.send_message(message, sender, [recipient])
    finally:
        with suppress(smtplib.SMTPException, OSError):  # the mail was accepted already, or refused
            server.quit()


def _connect(settings: Settings) -> smtplib.SMTP:
    """Return a session with the server of MAIL_URL, encrypted and signed in as it asks."""
    url = urlsplit(settings.mail_url or "")
    with ExitStack() as undo, _unavailable():
        server = _open(url, domain(settings.mail_from))
        undo.callback(server.close)
        if url.scheme == "smtp":
            _start_tls(server, required=bool(url.username) or settings.app_env in {"stage", "prod"})
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        undo.pop_all()
    return server


def _open(url: SplitResult, own_name: str) -> smtplib.SMTP:
    host = url.hostname or ""
    if url.scheme == "smtps":
        tls = ssl.create_default_context()
        return smtplib.SMTP_SSL(host, url.port or 465, own_name, timeout=TIMEOUT_SECONDS, context=tls)
    return smtplib.SMTP(host, url.port or 587, own_name, timeout=TIMEOUT_SECONDS)


def _start_tls(server: smtplib.SMTP, *, required: bool) -> None:
    """Encrypt the connection where the server can; without encryption no password and no customer's mail goes out."""
    server.ehlo_or_helo_if_needed()
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
    elif required:
        raise Unavailable("the server of MAIL_URL offers no STARTTLS; use smtps:// or another server")


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise Refused when the server refuses the address at RCPT or the mail at DATA, for good."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as refusal:
        _raise_for(next(iter(refusal.recipients.values()))[0])
    except smtplib.SMTPDataError as refusal:
        _raise_for(refusal.smtp_code)
    except (smtplib.SMTPNotSupportedError, UnicodeError):
        raise Refused("the server takes no such address") from None


def _raise_for(code: int) -> None:
    permanent = code >= PERMANENT and code != AUTHENTICATION_REQUIRED
    raise (Refused if permanent else Unavailable)(f"the server answered {code}") from None


@contextmanager
def _unavailable() -> Iterator[None]:
    """Raise Unavailable for any other failure, such as a wrong password: no address is to blame for it.

    What a server says may contain an address, so of an answer only the code is kept.
    """
    try:
        yield
    except smtplib.SMTPResponseException as refusal:
        reason = f"{type(refusal).__name__} {refusal.smtp_code}"
    except (smtplib.SMTPException, OSError) as failure:
        reason = str(failure)
    else:
        return
    log.warning("mail_server_unavailable", extra={"failure": reason})
    raise Unavailable(reason)
