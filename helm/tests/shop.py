"""Rendered manifests of both services in one environment, for the rules and their tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import argo
import rendering
import yaml
from rendering import ENVIRONMENTS, MINIMAL, SERVICES, Doc

RELEASES = Path(__file__).parent / "releases"
OPERATOR_SECRET = re.compile(r"create secret generic (\S+)((?: \\?\n?\s*--from-\w+=\S+)+)")


# Each option that the environments do not use is set at least once.
VARIANTS: dict[str, Doc] = {
    "defaults": MINIMAL,
    "gateway": MINIMAL
    | {
        "expose": {
            "via": "gateway",
            "host": "shop.test",
            "gateway": {"name": "public", "namespace": "gateways", "sectionName": "https"},
        },
        "secret": {"source": "existing", "existingSecret": "the-secrets"},
        "config": {"TRUSTED_PROXIES": 1},
    },
    "external": {
        "image": MINIMAL["image"],
        "migrations": {"engine": "argocd"},
        "secret": {"source": "external", "external": {"remoteKey": "b2c/dev", "store": {"name": "vault"}}},
        "tokens": {"kind": "jwt"},
    },
    "monitoring": MINIMAL | {"monitoring": {"serviceMonitor": True, "prometheusRule": True}},
    "scaled": MINIMAL
    | {
        "autoscaling": {"enabled": True, "minReplicas": 2},
        "podDisruptionBudget": {"minAvailable": "50%"},
        "resources": {"requests": {"cpu": 1}},
    },
    "three": MINIMAL
    | {
        "replicas": 3,
        "worker": {"replicas": 2},
        "mail": {"existingSecret": "the-mail"},
        "imagePullSecrets": [{"name": "registry"}],
        "image": {"tag": "1.2.3"},
    },
    "platform": MINIMAL
    | {
        "global": {"imageRegistry": "mirror.test:5000/ghcr", "imagePullSecrets": [{"name": "mirror"}]},
        "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
        "serviceAccount": {"name": "shop"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "shop", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]
                }
            }
        },
        "priorityClassName": "shop",
        "hostAliases": [{"ip": "192.0.2.7", "hostnames": ["database.test"]}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
        "podLabels": {"team": "shop"},
        "podAnnotations": {"sidecar.istio.io/inject": "false"},
        "networkPolicy": {"database": {"to": [{"ipBlock": {"cidr": "2001:DB8::/64"}}]}},
        "database": {
            "existingSecret": "the-database",
            "appRole": "the_service",
            "owner": {"existingSecret": "the-owner", "key": "URL"},
        },
        "extraEnv": [{"name": "PGSSLROOTCERT", "value": "/etc/database-ca/ca.crt"}],
        "extraVolumes": [{"name": "database-ca", "secret": {"secretName": "database-ca"}}],
        "extraVolumeMounts": [{"name": "database-ca", "mountPath": "/etc/database-ca", "readOnly": True}],
        "resources": {"requests": {"cpu": 0.5, "memory": "512M"}, "limits": {"memory": "1.5Gi", "cpu": 1}},
        "config": {"HOST": "::"},
    },
}


@dataclass(frozen=True)
class Shop:
    env: str
    docs: dict[str, list[Doc]]
    secrets: dict[str, set[str]]
    """Keys of every Secret that is in the namespace before the charts are."""

    def of(self, service: str, kind: str) -> list[Doc]:
        """Return the resources of a kind, without the worker's."""
        return [doc for doc in self.docs[service] if doc["kind"] == kind and not _is_workers(doc)]

    def the(self, service: str, kind: str) -> Doc:
        """Return the only resource of a kind beside the worker's."""
        (doc,) = self.of(service, kind)
        return doc

    def of_worker(self, service: str, kind: str) -> list[Doc]:
        return [doc for doc in self.docs[service] if doc["kind"] == kind and _is_workers(doc)]

    def pod(self, service: str) -> Doc:
        return self.the(service, "Deployment")["spec"]["template"]

    def server(self, service: str) -> Doc:
        (container,) = self.pod(service)["spec"]["containers"]
        return container

    def environment(self, service: str) -> dict[str, Any]:
        """Return the server's variables; a value is a string, or name and key of a Secret."""
        return self.the(service, "ConfigMap")["data"] | variables(self.server(service))

    def pods(self, service: str) -> Iterator[tuple[str, Doc]]:
        """Yield every pod specification with the name of its owner."""
        for doc in self.docs[service]:
            if doc["kind"] == "Pod":
                yield f"{service} Pod", doc["spec"]
            elif "template" in doc.get("spec", {}) and doc["kind"] in {"Deployment", "Job"}:
                yield f"{doc['metadata']['name']} {doc['kind']}", doc["spec"]["template"]["spec"]


def _is_workers(doc: Doc) -> bool:
    return bool(doc["metadata"]["name"].endswith("-worker"))


def variables(container: Doc) -> dict[str, Any]:
    return {
        entry["name"]: entry.get("value") or tuple(entry["valueFrom"]["secretKeyRef"][part] for part in ("name", "key"))
        for entry in container.get("env", [])
    }


def applications(root: Path, env: str) -> list[Doc]:
    """Expand the ApplicationSet of `env` over the example releases."""
    files = argo.values_files(root) | {
        f"gitops/envs/{folder}/releases/{file.name}": yaml.safe_load(file.read_text())
        for folder in ENVIRONMENTS
        for file in RELEASES.glob("*.yaml")
    }
    appsets = argo.of_kind(argo.bootstrap(root), "ApplicationSet")
    return [
        application
        for appset in appsets
        if appset["metadata"]["name"] == f"b2c-{env}"
        for application in argo.applications(appset, files)
    ]


@cache
def of_environment(root: Path, env: str, helm: str = "helm4", kube: str = "1.36") -> Shop:
    """Return the shop that Argo CD would deploy to `env` from the repository at `root`."""
    docs = {
        application["metadata"]["labels"]["app.kubernetes.io/name"]: rendering.docs(
            argo.render(application, root, helm, kube)
        )
        for application in applications(root, env)
    }
    return Shop(env, docs, operator_secrets(root, env))


@cache
def of_variant(root: Path, name: str) -> Shop:
    """Return the shop of two `helm install` commands with the values of a variant."""
    chosen = rendering.values(VARIANTS[name])
    docs = {service: rendering.docs(rendering.text(root / "helm" / service, chosen)) for service in SERVICES}
    there = {
        "the-database": {"DATABASE_URL"},
        "the-owner": {"URL"},
        "the-mail": {"MAIL_URL"},
        "the-secrets": {"SERVICE_CREDENTIAL", "TOKEN_SECRETS"},
    }
    return Shop("dev", docs, operator_secrets(root, "dev") | there)


def operator_secrets(root: Path, env: str) -> dict[str, set[str]]:
    """Return the Secrets of the first-cluster runbook and those that CloudNativePG creates in dev."""
    runbook = (root / "docs/runbooks/first-cluster.md").read_text()
    made = {name: set(re.findall(r"--from-\w+=([^=\s]+)=", keys)) for name, keys in OPERATOR_SECRET.findall(runbook)}
    if env == "dev":
        clusters = yaml.safe_load_all((root / "gitops/envs/dev/database.yaml").read_text())
        made |= {f"{cluster['metadata']['name']}-app": {"uri", "username", "password"} for cluster in clusters}
    return made
