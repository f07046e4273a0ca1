"""Build and load the images for the cluster: both services, variants of them, PostgreSQL, Valkey."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import yaml
from containers import engine

from cluster import access
from cluster.access import ROOT, WORKSPACE

SERVICES = ("user-service", "order-service")


@cache
def chosen() -> dict[str, str]:
    """Choose the base images: pinned ones, or local stand-ins where no registry can be reached."""
    found = engine.chosen_images(dict(os.environ) | {"BALANCER_IMAGE": "unused", "REGISTRY_IMAGE": "unused"})
    os.environ["PYTHON_IMAGE"] = found["PYTHON_IMAGE"]
    return found


def address(service: str) -> str:
    """Return a service's image address from gitops/policy/shop.yaml."""
    policy = yaml.safe_load((ROOT / "gitops/policy/shop.yaml").read_text())
    return f"{policy['registry']}/{policy['owner']}/{service}".lower()


def build(service: str, tag: str = "e2e") -> str:
    """Build a service's image as the pipeline does, load it, return its digest."""
    chosen()
    image = f"{address(service)}:{tag}"
    engine.build(service, image)
    return access.load(image)


def variant(service: str, tag: str, *lines: str, context: Path | None = None) -> str:
    """Build a variant of an image, load it, return its digest."""
    folder = context or WORKSPACE / "variant"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text("\n".join([f"FROM {address(service)}:e2e", *lines, ""]))
    image = f"{address(service)}:{tag}"
    engine.docker("build", "--tag", image, folder)
    return access.load(image)


@cache
def postgres() -> str:
    """Load PostgreSQL's image; return the name that pods use."""
    image = "b2c-e2e/postgres:18"
    engine.docker("tag", chosen()["POSTGRES_IMAGE"], image)
    access.load(image)
    return image


@cache
def valkey() -> str:
    """Load Valkey's image, or Debian's package where no registry can be reached; return its name."""
    image, published = "b2c-e2e/valkey:8", "valkey/valkey:8-alpine"
    found = published if engine.pull(published) else engine.stand_in("valkey", chosen()["PYTHON_IMAGE"])
    engine.docker("tag", found, image)
    access.load(image)
    return image


def user_of(image: str) -> int:
    """Return the uid of the user postgres in an image."""
    return int(engine.docker("run", "--rm", "--entrypoint", "id", image, "-u", "postgres"))
