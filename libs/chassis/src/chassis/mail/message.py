"""A mail and its form on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr

from chassis.jobs.tasks import Permanent

_MESSAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Refused(Permanent):
    """The address or this mail will never be accepted. The message names no address."""


class Unavailable(Exception):
    """The mail was not accepted now; a later attempt may succeed."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail to one address.

    `message_id` is the same at each attempt, such as "order-shipped-<id>", so that receivers recognise a mail that
    was sent twice.
    """

    to: str
    subject: str
    text: str
    html: str
    message_id: str

    def __post_init__(self) -> None:
        if not _MESSAGE_ID.fullmatch(self.message_id):
            raise ValueError("a message id has at most 100 of A-Z a-z 0-9 . _ -")


def compose(mail: Mail, sender: str) -> EmailMessage:
    """Return the message; raise Refused for an address or a subject that no header can hold."""
    name, address = parseaddr(sender)
    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = Address(display_name=name, addr_spec=address)
        message["To"] = _recipient(mail.to)
        message["Subject"] = mail.subject
    except (ValueError, IndexError, UnicodeError):  # what the email package raises for an address it cannot parse
        raise Refused("the address or the subject does not fit into a mail's header") from None
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = f"<{mail.message_id}@{_ascii(domain(sender))}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def domain(sender: str) -> str:
    """Return the part of an address after its at sign."""
    return parseaddr(sender)[1].rpartition("@")[2]


def _recipient(address: str) -> Address:
    local, _, host = address.rpartition("@")
    if not local or not host:
        raise ValueError("no address")
    return Address(addr_spec=f"{local}@{_ascii(host)}")


def _ascii(host: str) -> str:
    """Return a host name in ASCII, as every mail server accepts it."""
    return host if host.isascii() else host.encode("idna").decode()
