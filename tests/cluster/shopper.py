"""A customer in a pod whose namespace has the ingress controller's label (networkPolicy.from)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster import images
from cluster.access import ROOT, apply, kubectl, run

NAMESPACE = "shop-gateway"
SCRIPT = Path(__file__).parent / "walk.py"
CATALOGUE = ROOT / "services/order-service/demo/products.csv"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: shopper, namespace: %s}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - {name: shopper, image: "%s", imagePullPolicy: IfNotPresent, command: [sleep, infinity]}
"""
# The steps of the contract (README.md) and their expected answers.
PROMISED = {
    "registered twice": 409, "wrong password": 401, "profile": True, "profile of nobody": 401, "products": True,
    "order": [201, 64.88], "order of nobody": 401, "order read": 200, "order listed": True,
    "order of somebody else": 404,
}  # fmt: skip


def start() -> None:
    """Start the customer's pod in a namespace with the gateway's label."""
    apply(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}, labels: {{b2c.dev/gateway: 'true'}}}}}}")
    apply(POD % (NAMESPACE, f"{images.address('user-service')}:e2e"))
    kubectl("-n", NAMESPACE, "wait", "pod/shopper", "--for=condition=Ready", "--timeout=60s")


def _command(what: str, namespace: str) -> list[str]:
    urls = [
        f"http://{service}.{namespace}:{port}" for service, port in (("user-service", 5001), ("order-service", 5002))
    ]
    return ["kubectl", "-n", NAMESPACE, "exec", "-i", "shopper", "--", "python", "-", what, *urls]


def walk(namespace: str) -> dict[str, Any]:
    """Run the steps of the contract; return their answers."""
    answered: dict[str, Any] = json.loads(run(*_command("walk", namespace), input=SCRIPT.read_text()))
    return answered


@contextmanager
def buying(namespace: str) -> Iterator[dict[str, Any]]:
    """Place orders over new connections during the block; afterwards the yielded counts are filled."""
    counts: dict[str, Any] = {}
    run("kubectl", "-n", NAMESPACE, "exec", "shopper", "--", "rm", "-f", "/tmp/stop")
    with (
        SCRIPT.open() as script,
        subprocess.Popen(_command("buy", namespace), stdin=script, stdout=subprocess.PIPE, text=True) as buyers,
    ):
        try:
            yield counts
        finally:
            run("kubectl", "-n", NAMESPACE, "exec", "shopper", "--", "touch", "/tmp/stop")
            counts.update(json.loads(buyers.communicate(timeout=60)[0]))


def import_catalogue(namespace: str) -> None:
    """Import the demo catalogue with enough stock for all tests."""
    header, *products = CATALOGUE.read_text().splitlines()
    plenty = "\n".join([header, *(f"{product.rpartition(',')[0]},1000000" for product in products), ""])
    command = "cat > /tmp/products.csv && python -m order_service catalog import /tmp/products.csv"
    pod = ("-n", namespace, "exec", "-i", "deployment/order-service", "--", "sh", "-c", command)
    kubectl(*pod, input=plenty)
