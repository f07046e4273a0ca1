"""What a worker process prepares before it loads the application."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chassis.server.worker import METRICS_FOLDER, reserve_metric_files


def test_metrics_stay_in_the_worker_when_their_files_have_no_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(METRICS_FOLDER, str(tmp_path / "nowhere"))

    reserve_metric_files()

    assert METRICS_FOLDER not in os.environ
