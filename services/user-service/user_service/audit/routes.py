"""The route that lists what staff changed."""

from __future__ import annotations

from chassis.auth.roles import REFUSALS
from chassis.http.api import staff
from chassis.http.audit import AuditOut, AuditQuery, list_audit
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse
from user_service.services import Services

audit = staff("audit", __name__)


@audit.get(
    "/staff/audit",
    operation_id="list_audit_entries",
    responses=responses({200: AuditOut}, 400, 401, *REFUSALS, headers=("Link",)),
)
def list_entries(services: Services, query: AuditQuery) -> JsonResponse:
    """List what staff changed, newest first."""
    return list_audit(services.database, query)
