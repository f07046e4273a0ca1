"""Tests of `make e2e-cluster` on a real cluster with Argo CD; they need Docker, and kind or CLUSTER_TOOL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from report_notes import note, notes, pytest_terminal_summary  # noqa: F401 - a fixture and a hook

from cluster import access, argo, shop, shopper
from cluster.repository import Repository


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
