"""The page that lists what staff changed in the shop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response

from chassis.pages.audit import audit_page
from chassis.pages.blueprint import staff_pages
from order_service.catalog.product_forms import readable
from order_service.catalog.product_pages import product_url
from order_service.fulfilment.pages import order_url
from order_service.fulfilment.texts import CHANGES
from order_service.services import current_services

audit_pages = staff_pages("audit pages", __name__, "/backoffice")

ACTIONS = {
    "product.create": "Product added",
    "product.change": "Product changed",
    "product.stock": "Stock adjusted",
    "catalog.import": "File imported",
    **CHANGES,
    "webhook.create": "Webhook added",
    "webhook.change": "Webhook changed",
    "webhook.rotate_secret": "Secret of a webhook replaced",
    "webhook.delete": "Webhook deleted",
    "webhook.replay": "Event delivered again",
}


_LINKS: dict[str, Callable[[str], str]] = {"product": product_url, "order": order_url}
"""The page of the subject, by the beginning of the action."""


@audit_pages.get("/audit")
def list_entries() -> Response:
    """List what staff changed, newest first."""
    return audit_page(current_services().database, actions=ACTIONS, subject_url=_subject_url, shown=readable)


def _subject_url(entry: Mapping[str, Any]) -> str | None:
    link = _LINKS.get(entry["action"].partition(".")[0])
    return link(entry["subject"]) if link else None
