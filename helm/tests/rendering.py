"""Run helm and read its output."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Doc = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".cache/kubetools"
SERVICES = ("user-service", "order-service")
ENVIRONMENTS = ("dev", "stage", "prod")
HELMS = ("helm3", "helm4")
KUBERNETES = tuple(f"1.{minor}" for minor in range(30, 38))
MINIMAL = {"database": {"existingSecret": "the-database"}, "image": {"tag": "sha-0123456789ab"}}


class Refused(Exception):
    """Helm refuses to render; the message is Helm's."""


def run(program: str, *arguments: str | Path) -> str:
    """Run one of the downloaded programs and return its output."""
    done = subprocess.run([TOOLS / program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def build_dependencies(helm: Path) -> None:
    """Package the library chart into both charts, as `helm dependency build` and Argo CD do."""
    for service in SERVICES:
        run("helm4", "dependency", "build", helm / service)


def vendor_library(helm: Path) -> None:
    """Copy the unpackaged library chart into both charts, which is faster."""
    for service in SERVICES:
        shutil.copytree(helm / "b2c-common", helm / service / "charts/b2c-common")


def text(chart: Path, *files: Path, helm: str = "helm4", kube: str = "1.36", namespace: str = "b2c-dev") -> str:
    """Render a chart with values files; later ones take precedence."""
    flags = [flag for file in files for flag in ("--values", file)]
    return run(helm, "template", chart.name, chart, "--namespace", namespace, "--kube-version", kube, *flags)


def quantity(text: str | float) -> float:
    """Read a Kubernetes quantity such as 500m, 1.5Gi or 2."""
    units = {"m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    number = str(text).rstrip("mkMGKi")
    return float(number) * units[str(text).removeprefix(number)]


def docs(rendered: str) -> list[Doc]:
    return [doc for doc in yaml.load_all(rendered, Loader=yaml.CSafeLoader) if doc]


@cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="chart-values-"))
    atexit.register(shutil.rmtree, folder)
    return folder


@cache
def _file(content: str) -> Path:
    file = _scratch() / f"{len(list(_scratch().iterdir()))}.yaml"
    file.write_text(content)
    return file


def values(content: Any) -> Path:
    """Write values to a file, one per content, and return it."""
    return _file(yaml.safe_dump(content))
