"""Each environment's quota admits both services at their largest, while a rolling update is under way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import argo
import pytest
import rendering
import shop
from rendering import ENVIRONMENTS, SERVICES, quantity

# Of each Deployment: the new pod that is not ready yet, and old ones that still finish what they do.
IN_MOTION = 4


def demand(found: shop.Shop) -> Counter[str]:
    """Add up what the pods of both services ask for, in the quota's words."""
    total: Counter[str] = Counter()
    for service in SERVICES:
        scalers = found.of(service, "HorizontalPodAutoscaler")
        most = scalers[0]["spec"]["maxReplicas"] if scalers else found.the(service, "Deployment")["spec"]["replicas"]
        for pods, kind in ((most + IN_MOTION, "Deployment"), (1, "Job")):
            (container,) = found.the(service, kind)["spec"]["template"]["spec"]["containers"]
            total["pods"] += pods
            for side, amounts in container["resources"].items():
                for name, amount in amounts.items():
                    total[f"{side}.{name}"] += pods * quantity(amount)
    return total


def shortages(root: Path, env: str) -> dict[str, float]:
    wanted = demand(shop.of_environment(root, env))
    (quota,) = (
        doc["spec"]["hard"]
        for doc in argo.of_kind(argo.bootstrap(root), "ResourceQuota")
        if doc["metadata"]["namespace"] == f"b2c-{env}"
    )
    return {name: wanted[name] for name, hard in quota.items() if wanted[name] > quantity(hard)}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_quota_admits_both_services_at_their_largest(repository: Path, env: str) -> None:
    assert shortages(repository, env) == {}


def test_a_quota_that_is_too_small_is_seen(workshop: Path) -> None:
    values = workshop / "gitops/bootstrap/values.yaml"
    values.write_text(values.read_text().replace('requests.cpu: "32"', 'requests.cpu: "4"'))
    rendering.vendor_library(workshop / "helm")

    assert shortages(workshop, "prod").keys() == {"requests.cpu"}
