"""The first page of the back office, and the list of background jobs that it leads to."""

from __future__ import annotations

import datetime as dt

from flask import Response, request

from chassis.pages.blueprint import staff_pages
from chassis.pages.responses import page
from order_service.catalog.product_pages import FEW
from order_service.dashboard import queries
from order_service.services import current_services

dashboard_pages = staff_pages("dashboard", __name__, "/backoffice")

JOBS = {"failed": "Failed", "waiting": "Waiting"}


@dashboard_pages.get("")
def show() -> Response:
    """Show today's orders and revenue, and what waits for the staff; the day is one of UTC."""
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = queries.overview(current_services().database, since=today, few=FEW)
    return page("dashboard/dashboard.html", found=found, today=today.date(), few=FEW, most=queries.MOST)


@dashboard_pages.get("/jobs")
def list_jobs() -> Response:
    """List the background jobs that failed, or that wait for a worker."""
    status = "waiting" if request.args.get("status") == "waiting" else "failed"
    jobs = queries.list_jobs(current_services().database, status=status)
    return page("dashboard/jobs.html", jobs=jobs, state=status, states=JOBS, most=queries.MOST_JOBS)
