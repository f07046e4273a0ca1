"""The page that lists what staff changed about customers and staff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from chassis.pages.audit import audit_page
from chassis.pages.blueprint import staff_pages
from user_service.customers.pages import customer_url
from user_service.services import current_services

audit_pages = staff_pages("audit pages", __name__, "/account/backoffice")

ACTIONS = {
    "customer.disable": "Customer disabled",
    "customer.enable": "Customer enabled",
    "customer.end_session": "Session ended",
    "customer.end_sessions": "All sessions ended",
    "customer.reset_second_factor": "Second factor reset",
    "staff.grant": "Made staff",
    "staff.revoke": "No longer staff",
    "staff.reset_second_factor": "Second factor of staff reset",
}


@audit_pages.get("/audit")
def list_entries() -> Response:
    """List what staff changed, newest first."""
    return audit_page(current_services().database, actions=ACTIONS, subject_url=_subject_url)


def _subject_url(entry: Mapping[str, Any]) -> str:
    return customer_url(entry["subject"])
