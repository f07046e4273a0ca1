"""Install the whole shop in the cluster step by step as in docs/runbooks/first-cluster.md."""

from __future__ import annotations

from pathlib import Path

import yaml

from cluster import access, argo, databases, images, runbook, shopper
from cluster.access import apply, eventually, kubectl, names, run
from cluster.databases import FIRST_CLUSTER
from cluster.repository import Repository

ENVIRONMENTS = ("dev", "stage", "prod")
NAMESPACES = tuple(f"b2c-{env}" for env in ENVIRONMENTS)
ALL_NAMESPACES = (*NAMESPACES, databases.OUTSIDE, shopper.NAMESPACE)
MARK = "b2c.dev/e2e"
"""The label of namespaces that these tests made and may delete."""
ENOUGH_CPUS = 12
SMALL = {"requests": {"cpu": "10m", "memory": "96Mi"}}
NEAR = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": databases.OUTSIDE}}}]


def refuse_a_foreign_shop() -> None:
    """Fail on a cluster with a shop that these tests did not install."""
    foreign = set(names("namespaces")) & {f"namespace/{name}" for name in ALL_NAMESPACES} - marked()
    assert not foreign, f"{', '.join(sorted(foreign))} exist and are not of these tests: use another cluster"


def marked() -> set[str]:
    return set(names("namespaces", "-l", MARK)) & {f"namespace/{name}" for name in ALL_NAMESPACES}


def remove() -> None:
    """Delete everything of an earlier run."""
    if not marked():
        return
    if names("crd", "applications.argoproj.io"):
        argo.remove()
    kubectl("delete", "--wait=false", *marked())
    eventually(lambda: not marked(), "the namespaces are gone", 180)


def mark(*namespaces: str) -> None:
    for namespace in namespaces:
        kubectl("label", "--overwrite", "namespace", namespace, f"{MARK}=true")


def make_namespaces_and_secrets(folder: Path) -> None:
    """Follow steps 3 and 4 of the runbook."""
    runbook.follow(runbook.block(FIRST_CLUSTER, 'create namespace "b2c-$env"'), folder)
    kubectl("create", "namespace", databases.OUTSIDE)
    mark(*NAMESPACES, databases.OUTSIDE)
    certificate = ("-keyout", folder / "shop.key", "-out", folder / "shop.crt", "-subj", "/CN=shop.example.com")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *certificate)
    keys = runbook.block("docs/runbooks/rotate-keys.md", "openssl genpkey")
    secrets = runbook.block(FIRST_CLUSTER, "create secret generic b2c-shared")
    for namespace in NAMESPACES:
        runbook.follow(keys, folder)
        runbook.follow(secrets, folder, NS=namespace)


def start_databases(repository: Repository) -> None:
    """Start the databases of each environment, and allow stage and prod to reach theirs."""
    for service in ("user-service", "order-service"):
        databases.start_in_dev("b2c-dev", service)
    for env in ("stage", "prod"):
        databases.start_outside(env)
        # The servers of the test have no certificate.
        changes = {"networkPolicy": {"database": {"to": NEAR}}, "config": {"ALLOW_UNVERIFIED_DATABASE": True}}
        repository.change_values(env, "common", changes)
    databases.name_mail_server("b2c-stage", "b2c-prod")
    counting = [env for env in ENVIRONMENTS if counts_together(repository, env)]
    databases.start_counter(*(f"b2c-{env}" for env in counting))
    for env in counting:
        repository.change_values(env, "user-service", {"rateLimitStorage": {"to": NEAR}})


def counts_together(repository: Repository, env: str) -> bool:
    values = yaml.safe_load(repository.values(env, "user-service").read_text())
    return bool(values.get("rateLimitStorage", {}).get("existingSecret"))


def fit_to_the_cluster(repository: Repository) -> list[str]:
    """Reduce requests on a small node, and disable the autoscaler without metrics; return the changes."""
    said = []
    if not access.can_hold(ENOUGH_CPUS):
        said.append(f"requests are {SMALL['requests']}: no node has {ENOUGH_CPUS} processors")
        for env in ENVIRONMENTS:
            repository.change_values(env, "common", {"resources": SMALL})
    if not access.offers("metrics.k8s.io"):
        said.append("prod runs 3 pods of each service without an autoscaler: there is no metrics server")
        repository.change_values("prod", "common", {"autoscaling": {"enabled": False}, "replicas": 3})
    # A service's own value wins over the common one (docs/adr/0019); a test reads it in the cluster.
    repository.change_values("dev", "common", {"shutdown": {"preStopSeconds": 6}})
    repository.change_values("dev", "user-service", {"shutdown": {"preStopSeconds": 5}})
    return said


def open_shop(repository: Repository, folder: Path) -> list[str]:
    """Install everything up to the root application; return the changes for this cluster."""
    refuse_a_foreign_shop()
    remove()
    argo.install()
    repository.create()
    make_namespaces_and_secrets(folder)
    start_databases(repository)
    said = fit_to_the_cluster(repository)
    repository.push("Fit the values to this cluster")
    repository.release({service: images.build(service) for service in images.SERVICES})
    repository.promote("dev", "stage")
    repository.promote("stage", "prod")
    shopper.start()
    mark(shopper.NAMESPACE)
    apply((repository.clone / "gitops/root.yaml").read_text())
    return said
