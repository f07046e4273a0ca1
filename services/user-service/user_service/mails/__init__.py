"""The mails of user-service: `NAME.txt`, whose first line is the subject, and `NAME.html`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chassis.mail import Mail
from chassis.mail.templates import Templates
from chassis.pages.brand import BRAND
from chassis.pages.formatting import time
from user_service.sessions.devices import device_name


def recognisable(username: str) -> str:
    """Return the username, or its beginning if a mail program could make a link of it.

    Anybody can have a mail sent to anybody by opening an account: it must carry no words of theirs.
    """
    return f"{username[:3]}…" if set(username) & set("./:@") else username


_TEMPLATES = Templates(
    Path(__file__).parent, brand=BRAND, device_name=device_name, recognisable=recognisable, time=time
)


def compose(name: str, *, to: str, message_id: str, **values: Any) -> Mail:
    """Return the mail of this name, in text and HTML."""
    return Mail(to=to, message_id=message_id, **_TEMPLATES.render(name, **values)._asdict())
