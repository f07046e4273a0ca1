"""The mails of user-service: `NAME.txt`, whose first line is the subject, and `NAME.html`."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from chassis.mail import Mail
from chassis.pages.brand import BRAND
from chassis.pages.formatting import time
from user_service.sessions.devices import device_name

_TEMPLATES = Environment(
    loader=PackageLoader("user_service", "mails"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def recognisable(username: str) -> str:
    """Return the username, or its beginning if a mail program could make a link of it.

    Anybody can have a mail sent to anybody by opening an account: it must carry no words of theirs.
    """
    return f"{username[:3]}…" if set(username) & set("./:@") else username


_TEMPLATES.globals["brand"] = BRAND
_TEMPLATES.filters |= {"device": device_name, "recognisable": recognisable, "time": time}


def compose(name: str, *, to: str, message_id: str, **values: Any) -> Mail:
    """Return the mail of this name, in text and HTML."""
    subject, _, text = _TEMPLATES.get_template(f"{name}.txt").render(values).partition("\n\n")
    html = _TEMPLATES.get_template(f"{name}.html").render(values, subject=subject)
    return Mail(to=to, subject=subject, text=text, html=html, message_id=message_id)
