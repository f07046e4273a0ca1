"""`make kind`: create a kind cluster and install the shop; all but `create` is tested on any cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from cluster import images, plain
from cluster.access import WORKSPACE, kubectl, names, prepare_programs, run

NAME = "b2c-shop"
# The node mounts the local repository at the same path.
CONFIG = f"""
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
  - role: control-plane
    extraMounts: [{{hostPath: "{WORKSPACE}", containerPath: "{WORKSPACE}"}}]
"""
WELCOME = """The shop runs in the namespace {0}:
  curl http://localhost:5002/products
README.md walks through it. Ctrl-C ends the forwarding; `kind delete cluster --name {1}` deletes the cluster."""


def create() -> None:
    """Create the cluster if necessary and make it kubectl's current context."""
    if NAME in run("kind", "get", "clusters").split():
        run("kind", "export", "kubeconfig", "--name", NAME)
        return
    WORKSPACE.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", suffix=".yaml") as file:
        Path(file.name).write_text(CONFIG)
        subprocess.run(
            ["kind", "create", "cluster", "--name", NAME, "--config", file.name, "--wait", "120s"], check=True
        )


def open_shop(namespace: str, helm: str = "helm4") -> None:
    """Build the images, then install or upgrade the shop."""
    digests = {service: images.build(service) for service in images.SERVICES}
    if not names(f"namespace/{namespace}"):
        plain.found(namespace)
    plain.install(helm, namespace, digests)


@contextmanager
def forwarded(namespace: str, **ports: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Forward a port to each service."""
    pods = [["kubectl", "-n", namespace, "port-forward", f"service/{name.replace('_', '-')}"] for name in ports]
    started = [
        subprocess.Popen([*command, f"{port}:http"], stdout=subprocess.PIPE, text=True)
        for command, port in zip(pods, ports.values(), strict=True)
    ]
    try:
        for each in started:
            assert each.stdout
            each.stdout.readline()  # waits for "Forwarding from"
        yield started
    finally:
        for each in started:
            each.terminate()
            each.communicate()


def main(step: str) -> None:
    if step == "create":
        create()
        return
    os.environ["CLUSTER_TOOL"] = ""
    prepare_programs()
    context = kubectl("config", "current-context")
    if context != f"kind-{NAME}":
        sys.exit(f"make kind: kubectl's context is {context}, not kind-{NAME}")
    open_shop("shop")
    with forwarded("shop", user_service=5001, order_service=5002) as forwarding:
        print(WELCOME.format("shop", NAME), flush=True)
        try:
            forwarding[0].wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main(*sys.argv[1:])
