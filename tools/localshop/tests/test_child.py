"""Child processes of the shop: their environment, and how their failures are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from localshop import Trouble
from localshop.child import Child


def child(tmp_path: Path, script: str) -> Child:
    return Child("PostgreSQL", ("sh", "-c", script), log=tmp_path / "log")


def test_full_disk_is_told_instead_of_the_panic_that_follows(tmp_path: Path) -> None:
    script = (
        "echo 'FATAL:  could not write: No space left on device'; echo 'PANIC:  cannot abort transaction 1'; exit 1"
    )

    with pytest.raises(Trouble) as failed:
        child(tmp_path, script).complete()

    assert failed.value.message == f"PostgreSQL failed: the disk of {tmp_path} is full: make room, then start again"


def test_other_failure_is_told_with_its_last_complaint(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="PostgreSQL failed: FATAL:  no such role"):
        child(tmp_path, "echo 'FATAL:  no such role'; echo bye; exit 1").complete()


def test_child_gets_no_variables_for_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGSERVICE", "PYTHONPATH", "PROMETHEUS_MULTIPROC_DIR", "LC_TIME"):
        monkeypatch.setenv(name, "kept")
    script = "echo ${PGSERVICE:-none} ${PYTHONPATH:-none} ${PROMETHEUS_MULTIPROC_DIR:-none} $LC_TIME"
    assert child(tmp_path, script).complete() == "none none none kept"
