"""The mails of order-service: `NAME.txt`, whose first line is the subject, and `NAME.html`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chassis.mail import Mail
from chassis.mail.templates import Templates
from chassis.pages.brand import BRAND
from chassis.pages.formatting import country_name, price, time

_TEMPLATES = Templates(Path(__file__).parent, brand=BRAND, price=price, time=time, country_name=country_name)

NAMES = {
    "order.placed": "placed",
    "order.paid": "paid",
    "order.shipped": "shipped",
    "order.cancelled": "cancelled",
    "order.refunded": "refunded",
}
"""The template of each type of event that has a mail; a delivery has none, because the customer has the goods."""


def compose(name: str, *, to: str, message_id: str, **values: Any) -> Mail:
    """Return the mail of this name, in text and HTML."""
    return Mail(to=to, message_id=message_id, **_TEMPLATES.render(name, **values)._asdict())
