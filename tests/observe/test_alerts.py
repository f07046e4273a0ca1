"""The charts' alerts fire when they should and are silent when they should, by promtool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rendering
import shop
import yaml
from rendering import ROOT, SERVICES

ORDERS = (
    'http_request_duration_seconds_count{service="order-service",namespace="b2c-dev",method="POST",route="/orders",'
)
READS = 'namespace="b2c-dev",service="order-service",method="GET",route="/products",status="200"'
FEED = 'session_feed_synced_timestamp_seconds{service="order-service",namespace="b2c-dev"}'
STORAGE = 'rate_limit_storage_failures_total{service="user-service",namespace="b2c-dev"}'
WORKER = 'service="order-service-worker",namespace="b2c-dev"'
SERVER = 'service="order-service",namespace="b2c-dev"'


def orders(failed_per_minute: float) -> dict[str, str]:
    """Return 1000 orders a minute, some of which fail."""
    return {
        ORDERS + 'status="201"}': f"0+{1000 - failed_per_minute}x5000",
        ORDERS + 'status="500"}': f"0+{failed_per_minute}x5000",
    }


def reads(slow_per_minute: float) -> dict[str, str]:
    """Return 1000 reads a minute, some of which take longer than 300 ms."""
    return {
        f"http_request_duration_seconds_count{{{READS}}}": "0+1000x5000",
        f'http_request_duration_seconds_bucket{{{READS},le="0.3"}}': f"0+{1000 - slow_per_minute}x5000",
    }


def buckets(within_a_second: int) -> dict[str, str]:
    counts = {"1": within_a_second, "2.5": 1000, "+Inf": 1000}
    return {
        f'http_request_duration_seconds_bucket{{{READS},le="{le}"}}': f"0+{count}x5000" for le, count in counts.items()
    }


def running(target: str) -> dict[str, str]:
    return {f"up{{{target}}}": "1x5000"}


def pool(in_use: int) -> dict[str, str]:
    return {f"database_connections_in_use{{{SERVER}}}": f"{in_use}x5000", f"database_pool_size{{{SERVER}}}": "8x5000"}


def oldest(seconds: int) -> dict[str, str]:
    return {f'jobs_oldest_seconds{{{WORKER},task="send"}}': f"{seconds}x5000"}


# Alert, series with which it fires, series with which it is silent, minute of the question.
CASES: dict[str, tuple[dict[str, str], dict[str, str], int]] = {
    "OrdersFailFast": (orders(20), orders(10), 120),
    "OrdersFailSlow": (orders(10), orders(4), 720),
    "OrdersFailCreeping": (orders(2), orders(0.5), 4400),
    "ReadsSlowFast": (reads(200), reads(100), 120),
    "ReadsSlowSlow": (reads(100), reads(40), 720),
    "ReadsSlowCreeping": (reads(20), reads(5), 4400),
    "ErrorsAboveOnePercent": (orders(20), orders(5), 60),
    "SlowAnswers": (
        buckets(900),
        buckets(1000),
        60,
    ),
    "DatabasePoolExhausted": (pool(8), pool(7), 60),
    "JobsWaitTooLong": (oldest(1000), oldest(800), 60),
    "NoJobWorker": ({}, running(WORKER), 60),
    "NoTarget": ({}, running(SERVER), 60),
    "SessionFeedOld": ({FEED: "0x5000"}, {FEED: "0+60x5000"}, 60),
    "RateLimitStorageLost": ({STORAGE: "0+1x5000"}, {STORAGE: "3x5000"}, 60),
}


@pytest.fixture(scope="session")
def groups(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return the alert rules of both charts as Prometheus reads them."""
    root = tmp_path_factory.mktemp("charts")
    shutil.copytree(ROOT / "helm", root / "helm", ignore=shutil.ignore_patterns("charts", "tests"))
    rendering.vendor_library(root / "helm")
    values = rendering.values(shop.VARIANTS["monitoring"])
    rendered = {service: rendering.docs(rendering.text(root / "helm" / service, values)) for service in SERVICES}
    return {
        service: next(doc["spec"] for doc in docs if doc["kind"] == "PrometheusRule")
        for service, docs in rendered.items()
    }


def alerts(groups: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for spec in groups.values() for group in spec["groups"] for rule in group["rules"]]


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case(groups: dict[str, dict[str, Any]]) -> None:
    assert {rule["alert"] for rule in alerts(groups)} == set(CASES)


@pytest.mark.parametrize("service", SERVICES)
def test_prometheus_accepts_the_rules_of(service: str, groups: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups[service]))

    promtool("check", "rules", tmp_path / "rules.yaml")


@pytest.mark.parametrize("fires", [True, False], ids=["fires", "silent"])
@pytest.mark.parametrize("alert", CASES)
def test_alert_fires_only_when_it_should(
    alert: str, fires: bool, groups: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    bad, good, minute = CASES[alert]
    service = "user-service" if alert == "RateLimitStorageLost" else "order-service"
    rule = next(rule for rule in groups[service]["groups"][0]["rules"] if rule["alert"] == alert)
    query = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": alert, "rules": [rule]}]}))
    series = [{"series": name, "values": numbers} for name, numbers in (bad if fires else good).items()]
    expected = [{"labels": "{}", "value": 1}] if fires else []
    asked = {"expr": query, "eval_time": f"{minute}m", "exp_samples": expected}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
    (tmp_path / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]})
    )

    promtool("test", "rules", tmp_path / "test.yaml")


def test_every_alert_links_to_its_section_of_the_runbook(groups: dict[str, dict[str, Any]]) -> None:
    headings = [
        line.removeprefix("## ").lower()
        for line in (ROOT / "docs/runbooks/alerts.md").read_text().splitlines()
        if line.startswith("## ")
    ]
    for rule in alerts(groups):
        page, _, section = rule["annotations"]["runbook_url"].partition("#")
        assert page.endswith("/blob/main/docs/runbooks/alerts.md")
        assert section in headings, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
