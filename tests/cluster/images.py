"""The images that the cluster runs: both services', variants of them, and PostgreSQL's."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import yaml
from containers import engine

from cluster import access
from cluster.access import ROOT, WORKSPACE

SERVICES = ("user-service", "order-service")


@cache
def chosen() -> dict[str, str]:
    """Choose the base images: pinned ones, or stand-ins of the same name where no registry can be reached."""
    found = engine.chosen_images(dict(os.environ) | {"BALANCER_IMAGE": "unused", "REGISTRY_IMAGE": "unused"})
    os.environ["PYTHON_IMAGE"] = found["PYTHON_IMAGE"]
    return found


def address(service: str) -> str:
    """Return where this shop's images are, as gitops/policy/shop.yaml says."""
    policy = yaml.safe_load((ROOT / "gitops/policy/shop.yaml").read_text())
    return f"{policy['registry']}/{policy['owner']}/{service}".lower()


def build(service: str, tag: str = "e2e") -> str:
    """Build a service's image as the pipeline does, load it, return its digest."""
    chosen()
    image = f"{address(service)}:{tag}"
    engine.build(service, image)
    return access.load(image)


def variant(service: str, tag: str, *lines: str, context: Path | None = None) -> str:
    """Make another image out of a built one, load it, return its digest."""
    folder = context or WORKSPACE / "variant"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text("\n".join([f"FROM {address(service)}:e2e", *lines, ""]))
    image = f"{address(service)}:{tag}"
    engine.docker("build", "--tag", image, folder)
    return access.load(image)


@cache
def postgres() -> str:
    """Load PostgreSQL's image under a name that a pod can use; return that name."""
    image = "b2c-e2e/postgres:18"
    engine.docker("tag", chosen()["POSTGRES_IMAGE"], image)
    access.load(image)
    return image


@cache
def valkey() -> str:
    """Load Valkey's image, or Debian's package where no registry can be reached; return its name."""
    image = "b2c-e2e/valkey:8"
    published = "valkey/valkey:8-alpine"
    pulled = subprocess.run(["docker", "pull", "--quiet", published], capture_output=True, check=False).returncode == 0
    if not pulled:
        stand_ins = (ROOT / "tests/containers/stand-ins.Dockerfile").read_text()
        python = ("--build-arg", f"PYTHON_IMAGE={chosen()['PYTHON_IMAGE']}", "--network", os.environ["BUILD_NETWORK"])
        engine.docker("build", *python, "--target", "valkey", "--tag", image, "-", input=stand_ins)
    else:
        engine.docker("tag", published, image)
    access.load(image)
    return image


def user_of(image: str) -> int:
    """Return the number of the user postgres in an image."""
    return int(engine.docker("run", "--rm", "--entrypoint", "id", image, "-u", "postgres"))
