"""Less of a machine than there is, by a cgroup: for root, on Linux."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localshop.service import Service


@contextmanager
def held_to(cores: float, service: Service) -> Iterator[None]:
    """Let a running service have no more than so many cores, in a cgroup of version 1 or 2; 0: as many as there are."""
    if not cores:
        yield
        return
    old = Path("/sys/fs/cgroup/cpu")
    everybody = old if old.is_dir() else old.parent
    group = everybody / f"bench-scaling-{service.pid}"
    group.mkdir()
    quota = f"{cores * 100_000:.0f}"
    if old.is_dir():
        (group / "cpu.cfs_quota_us").write_text(quota)
    else:
        (group / "cpu.max").write_text(f"{quota} 100000")
    move(service, group)
    yield
    move(service, everybody)
    group.rmdir()


def move(service: Service, group: Path) -> None:
    for process in service.family():
        (group / "cgroup.procs").write_text(str(process.pid))
