"""/healthz, /readyz and /metrics."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.server import shutdown
from chassis.server.health import health, schema_check
from chassis.settings import Settings
from chassis.telemetry import metrics


def test_readyz_fails_once_shutdown_has_begun(shutdown_flag: Path, app: Flask) -> None:
    client = app.test_client()
    assert client.get("/readyz").status_code == 200
    shutdown.begin(shutdown_flag)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["checks"]) == (503, {"shutdown": "begun"})  # type: ignore[index]
    assert client.get("/healthz").status_code == 200


def test_readyz_names_the_check_that_fails(client: FlaskClient, app: Flask) -> None:
    other = Flask("other")
    other.register_blueprint(health("other", "local", {"database": lambda: "ok", "schema": lambda: "too old"}))
    from chassis.http.error_handlers import handle_errors

    handle_errors(other)
    answer = other.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["checks"] == {"database": "ok", "schema": "too old"}


def test_schema_must_be_at_the_last_script_or_newer(app: Flask, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0002_second.py").touch()
    (tmp_path / "versions" / "0001_first.py").touch()
    check = schema_check(app.services.database, tmp_path)
    assert check() == "unavailable, or not migrated"
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text)")
        for version, verdict in (
            ("0001", "schema is at 0001, this version needs 0002"),
            ("0002", "ok"),
            ("0003", "ok"),
        ):
            connection.execute("TRUNCATE alembic_version")
            connection.execute("INSERT INTO alembic_version VALUES (%s)", [version])
            assert check() == verdict
        connection.execute("DROP TABLE alembic_version")


def test_requests_are_counted_by_route_template(client: FlaskClient, settings: Settings) -> None:
    client.get("/sql?run=SELECT 42")
    client.get("/no/such/page")
    scraped = client.get("/metrics").text
    assert 'route="/sql"' in scraped
    assert 'route="(none)"' in scraped
    assert "SELECT 42" not in scraped
    assert f"database_pool_size {settings.database_pool_size}.0" in scraped


def test_rubbish_methods_and_paths_make_few_label_sets(client: FlaskClient) -> None:
    def label_sets() -> set[str]:
        lines = client.get("/metrics").text.splitlines()
        return {line.partition(" ")[0] for line in lines if line.startswith("http_request_duration_seconds_count{")}

    before = label_sets()
    for number in range(50):
        client.open(f"/rubbish/{number}", method=f"RUBBISH{number}")
        client.get(f"/sql{number}?currency=X{number}")
    added = label_sets() - before

    assert 1 <= len([labels for labels in added if 'method="(other)"' in labels]) <= 2
    assert len(added) <= 4  # rubbish methods, rubbish paths, the scrape itself


def test_reads_within_300_ms_are_counted_for_the_objective(client: FlaskClient) -> None:
    client.get("/sql?run=SELECT 42")
    assert 'http_request_duration_seconds_bucket{le="0.3",method="GET",route="/sql"' in client.get("/metrics").text


def test_scrape_bears_that_another_one_removes_a_dead_workers_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = tmp_path / f"gauge_livesum_{2**30}.db"
    dead.touch()
    found = [dead]
    monkeypatch.setattr(Path, "glob", lambda *_: iter(found))
    monkeypatch.setattr("glob.glob", lambda *_: [str(dead)])  # where prometheus_client looks
    metrics._forget_dead_workers(tmp_path)
    assert not dead.exists()
    metrics._forget_dead_workers(tmp_path)
