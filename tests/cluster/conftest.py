"""Tests of `make e2e-cluster` on a real cluster with Argo CD; they need Docker, and kind or CLUSTER_TOOL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster import access, argo, shop, shopper
from cluster.repository import Repository

notes: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("cluster")
    for line in notes:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def note() -> list[str]:
    """Collect what was measured or fitted to the cluster, for the end of the report."""
    return notes


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    access.prepare_programs()


@pytest.fixture(scope="session")
def repository(programs: None) -> Repository:
    return Repository()


@pytest.fixture(scope="session")
def opened(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Repository]:
    """Apply the root application; delete everything afterwards, unless a test failed."""
    notes.extend(shop.open_shop(repository, tmp_path_factory.mktemp("operator")))
    yield repository
    if not request.session.testsfailed:
        shop.remove()


@pytest.fixture(scope="session")
def running(opened: Repository) -> Repository:
    """Wait for all six Applications, then import the catalogues."""
    argo.refresh()
    access.eventually(lambda: argo.all_run(6), "six Applications are Synced and Healthy", 420, argo.explain_all)
    for namespace in shop.NAMESPACES:
        shopper.import_catalogue(namespace)
    return opened
