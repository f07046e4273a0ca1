"""A shop in one namespace, installed with Helm alone as in helm/README.md."""

from __future__ import annotations

from collections.abc import Mapping

from cluster import databases, images, shop, shopper
from cluster.access import ROOT, eventually, kubectl, names, run

KINDS = (
    "deployments,pods,services,configmaps,secrets,serviceaccounts,jobs,ingresses,networkpolicies,"
    "poddisruptionbudgets,horizontalpodautoscalers"
)
DATABASE = "postgres"


def remove(namespace: str) -> None:
    """Delete a namespace of these tests."""
    if names("namespaces", "-l", shop.MARK, "--field-selector", f"metadata.name={namespace}"):
        kubectl("delete", "namespace", namespace, "--timeout=120s")
    eventually(lambda: not names(f"namespace/{namespace}"), f"{namespace} is not there", 60)


def found(namespace: str) -> None:
    """Create a namespace with PostgreSQL, and a database and a Secret for each service."""
    kubectl("create", "namespace", namespace)
    shop.mark(namespace)
    databases.start(namespace, DATABASE)
    for service in images.SERVICES:
        owner, password = service.replace("-", "_"), databases.new_password()
        databases.create_database(namespace, DATABASE, owner, password)
        url = f"--from-literal=DATABASE_URL=postgresql://{owner}:{password}@{DATABASE}-rw:5432/{owner}"
        kubectl("-n", namespace, "create", "secret", "generic", f"{service}-db", url)


def install(helm: str, namespace: str, digests: Mapping[str, str]) -> None:
    """Install or upgrade both services, then import the demo catalogue."""
    for service, digest in digests.items():
        chart = ROOT / "helm" / service
        run(helm, "dependency", "build", chart)
        image = f"image.repository={images.address(service)},image.digest={digest}"
        values = ("--set", f"database.existingSecret={service}-db,{image}")
        run(helm, "upgrade", "--install", service, chart, "-n", namespace, *values, "--wait", "--timeout", "3m")
    shopper.import_catalogue(namespace)


def left(namespace: str) -> list[str]:
    """Return the remaining objects except the database, its Secrets and the defaults of a namespace."""
    own = ("configmap/kube-root-ca.crt", "serviceaccount/default")
    kept = {*own, *(f"secret/{service}-db" for service in images.SERVICES)}
    found = set(names("-n", namespace, KINDS)) - kept
    return sorted(name for name in found if not name.endswith((f"/{DATABASE}", f"/{DATABASE}-rw")))
