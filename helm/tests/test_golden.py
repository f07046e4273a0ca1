"""Production's manifests are stored as files, so that a review shows every change."""

from __future__ import annotations

import os
from pathlib import Path

import argo
import pytest
import rendering
import shop
import yaml
from rendering import SERVICES

GOLDEN = Path(__file__).parent / "golden"


def assert_golden(name: str, rendered: str) -> None:
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(rendered)
    assert file.read_text() == rendered, f"{file.name}: if the change is meant, run make golden"


@pytest.mark.parametrize("service", SERVICES)
def test_the_manifests_of_production_are_as_reviewed(repository: Path, service: str) -> None:
    found = {app["metadata"]["name"]: app for app in shop.applications(repository, "prod")}

    assert_golden(f"prod-{service}", argo.render(found[f"{service}-prod"], repository))


def test_manifests_of_the_root_application_are_as_reviewed(repository: Path) -> None:
    assert_golden("bootstrap", yaml.safe_dump_all(argo.bootstrap(repository), sort_keys=False))


def test_changed_manifest_is_found(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPDATE_GOLDEN", raising=False)
    text = rendering.text(repository / "helm/user-service", rendering.values(rendering.MINIMAL))

    with pytest.raises(AssertionError, match="make golden"):
        assert_golden("prod-user-service", text)
