"""Tests with real containers: the images and the shop of docker-compose.yml; they need a Docker engine.

Base images are those of the environment or `.env`, else the pinned published ones, else, without access to a registry,
local images of the same name and Debian's packages (stand-ins.Dockerfile).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from containers.engine import ROOT, Stack, build, chosen_images, docker, remove_images
from dotenv import dotenv_values
from report_notes import note, notes, pytest_terminal_summary  # noqa: F401 - a fixture and a hook


@pytest.fixture(scope="session", autouse=True)
def images() -> dict[str, str]:
    """Choose the base images for this process and its children."""
    docker("info")
    given = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value}
    chosen = chosen_images(given | dict(os.environ))
    os.environ.update(chosen)
    notes.extend(f"{name}: {value}" for name, value in chosen.items())
    return chosen


@pytest.fixture(scope="session")
def tags(images: dict[str, str]) -> Iterator[dict[str, str]]:
    """Build both images; return their tags by service."""
    tags = {service: f"b2c-test-{os.getpid()}-built/{service}" for service in ("user-service", "order-service")}
    for service, tag in tags.items():
        build(service, tag)
    yield tags
    remove_images(*tags.values())


@pytest.fixture(scope="module")
def stack(images: dict[str, str]) -> Iterator[Stack]:
    """Run the shop of `docker compose up --build` with new volumes and other ports."""
    with Stack(f"b2c-test-{os.getpid()}") as stack:
        yield stack


@pytest.fixture(scope="module")
def scaled(images: dict[str, str]) -> Iterator[Stack]:
    """Run the shop with the profile `scale`."""
    with Stack(f"b2c-test-{os.getpid()}-scaled", "scale") as stack:
        yield stack
