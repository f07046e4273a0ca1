"""The cluster of kubectl's current context, or the one that the program CLUSTER_TOOL manages.

CLUSTER_TOOL offers `exec CMD...` (run a command where the cluster can be reached) and `load IMAGE` (copy an image to
the node, print NAME@DIGEST). Without it the cluster is one of kind, and kubectl reaches it from here.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KUBETOOLS = ROOT / ".cache/kubetools"
WORKSPACE = ROOT / ".cache/cluster"
"""Holds the local repository; kind mounts it into its node under the same path."""

Doc = dict[str, Any]


def tool() -> str:
    """Return the program that CLUSTER_TOOL names; None for kind."""
    return os.environ.get("CLUSTER_TOOL", "")


def prepare_programs() -> None:
    """Put wrappers first on PATH that run kubectl, both Helms and curl where the cluster can be reached."""
    folder = WORKSPACE / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    prefix = f"{shlex.quote(tool())} exec " if tool() else ""
    programs = {name: str(KUBETOOLS / name) for name in ("kubectl", "helm3", "helm4")}
    programs |= {"helm": programs["helm4"], "curl": shutil.which("curl") or "curl"}
    for name, program in programs.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {prefix}{shlex.quote(program)} "$@"\n')
        script.chmod(0o755)
    if str(folder) not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def run(*command: str | Path, check: bool = True, **options: Any) -> str:
    """Run a command and return its output; fail with the output in the message."""
    done = subprocess.run([*command], capture_output=True, text=True, check=False, **options)
    said = f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    assert done.returncode == 0 or not check, said
    return done.stdout.strip() if check else said


def kubectl(*arguments: str | Path, **options: Any) -> str:
    return run("kubectl", *arguments, **options)


def apply(manifest: str, *arguments: str) -> None:
    kubectl("apply", "--server-side", "--force-conflicts", *arguments, "-f", "-", input=manifest)


def get(*arguments: str) -> Doc:
    """Return an object or a list of objects from the API server."""
    found: Doc = json.loads(kubectl("get", *arguments, "--output", "json"))
    return found


def items(*arguments: str) -> list[Doc]:
    found: list[Doc] = get(*arguments)["items"]
    return found


def names(*arguments: str) -> list[str]:
    """Return objects as KIND/NAME."""
    return kubectl("get", *arguments, "--output", "name", "--ignore-not-found").split()


def eventually(question: Callable[[], bool], what: str, seconds: float, say: Callable[[], object] = str) -> None:
    """Wait until the condition is true; `say` explains a failure."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} seconds. {say()}"
        time.sleep(1)


def can_hold(cpus: float) -> bool:
    """Tell whether a node has that many processors."""
    return any(_amount(node["status"]["allocatable"]["cpu"]) >= cpus for node in items("nodes"))


def _amount(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / 1000 if quantity.endswith("m") else float(quantity)


def offers(api: str) -> bool:
    """Tell whether the API server has an API group such as metrics.k8s.io."""
    return api in kubectl("api-versions")


def load(image: str) -> str:
    """Copy an image from the Docker engine to the node; return its digest."""
    if tool():
        return run(tool(), "load", image).rpartition("@")[2]
    context = kubectl("config", "current-context")
    assert context.startswith("kind-"), f"images can be loaded into kind's clusters only, and {context} is none"
    return _load_into_kind(context.removeprefix("kind-"), image)


def _load_into_kind(cluster: str, image: str) -> str:
    """Tag the image with its digest, because a pod finds a local image by digest only under such a name."""
    run("kind", "load", "docker-image", image, "--name", cluster)
    node = run("kind", "get", "nodes", "--name", cluster).split()[0]
    ctr = ("docker", "exec", node, "ctr", "--namespace", "k8s.io", "images")
    full = image if "." in image.split("/", 1)[0] else f"docker.io/{image if '/' in image else f'library/{image}'}"
    listed = [line.split() for line in run(*ctr, "ls", f"name=={full}").splitlines()]
    digest = listed[1][2]
    run(*ctr, "tag", "--force", full, f"{full.rpartition(':')[0]}@{digest}")
    return digest
