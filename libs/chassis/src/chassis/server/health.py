"""Serve /healthz (alive), /readyz (able to serve) and /metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
from flask import Blueprint, Response, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST

from chassis.db.database import Database
from chassis.db.pool import PoolTimeout
from chassis.problems import Unavailable
from chassis.server import shutdown
from chassis.server.slots import STUCK
from chassis.telemetry.metrics import exposition


class NotReady(Unavailable):
    code, error = "not_ready", "not ready"


Check = Callable[[], str]
"""Return "ok", or what is wrong."""

Details = Callable[[], dict[str, object]]
"""Return information for operators; it does not affect readiness."""


def schema_check(database: Database, scripts: Path) -> Check:
    """Return a check that the database answers and has at least the newest migration of `scripts`."""
    needed = newest(scripts)

    def check() -> str:
        try:
            row = database.fetch_one("SELECT version_num FROM alembic_version")
        except (psycopg.Error, PoolTimeout, Unavailable):
            return "unavailable, or not migrated"
        current = row.version_num if row else "nothing"
        return "ok" if row and current >= needed else f"schema is at {current}, this version needs {needed}"

    return check


def newest(scripts: Path) -> str:
    """Return the number of the newest migration, such as "0001", without loading Alembic."""
    return max(file.name for file in scripts.glob("versions/[0-9]*.py"))[:4]


def health(service: str, env: str, checks: dict[str, Check], details: Details = dict) -> Blueprint:
    blueprint = Blueprint("health", __name__)
    shutdown_has_begun = shutdown.watch()

    @blueprint.get("/healthz")
    def healthz() -> Response:
        """Answer without I/O that the process is alive."""
        return jsonify(status="ok", service=service, env=env)

    @blueprint.get("/readyz")
    def readyz() -> Response:
        """Answer whether every check passes, threads come free and shutdown has not begun."""
        if shutdown_has_begun():
            raise NotReady(checks={"shutdown": "begun"}, details=details())
        results = {name: check() for name, check in checks.items()}
        if request.environ.get(STUCK):
            results["threads"] = "none has come free for some seconds"
        if any(result != "ok" for result in results.values()):
            raise NotReady(checks=results, details=details())
        return jsonify(status="ready", service=service, checks=results, details=details())

    @blueprint.get("/metrics")
    def metrics() -> Response:
        """Return metrics in Prometheus' text format."""
        return Response(exposition(), content_type=CONTENT_TYPE_LATEST)

    return blueprint
