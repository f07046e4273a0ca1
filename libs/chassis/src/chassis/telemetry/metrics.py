"""Prometheus metrics; workers share them through files below PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time to answer, by route template.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1, 2.5, 5, 10),
)
DATABASE_CONNECTIONS_IN_USE = Gauge(
    "database_connections_in_use", "Connections taken from the pool.", multiprocess_mode="livesum"
)
DATABASE_POOL_SIZE = Gauge("database_pool_size", "Connections that the pools may hold.", multiprocess_mode="livesum")
THROTTLED = Counter("throttled_attempts", "Attempts refused with 429, by rule.", ["rule"])
RATE_LIMIT_STORAGE_FAILURES = Counter(
    "rate_limit_storage_failures", "Times that the storage of attempts was found to be away."
)
LOG_LINES_DROPPED = Counter("log_lines_dropped", "Lines of the log, access lines included, that could not be written.")
JOB_RUNS = Counter("job_runs", "Runs of background jobs, by outcome: succeeded or failed.", ["task", "outcome"])


def exposition() -> bytes:
    """Return the metrics of all workers in Prometheus' text format."""
    return generate_latest(_registry())


def _registry() -> CollectorRegistry:
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not directory:
        return REGISTRY
    _forget_dead_workers(Path(directory))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _forget_dead_workers(directory: Path) -> None:
    for file in directory.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            file.unlink(missing_ok=True)  # a concurrent scrape may have removed it
