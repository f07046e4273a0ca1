"""Differences between clusters are values: nodes, users, service accounts, volumes, DNS, registries."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import rendering
import shop
import yaml
from rendering import HELMS, SERVICES, Doc

PLATFORM = shop.VARIANTS["platform"]
OF_EVERY_POD = ("nodeSelector", "tolerations", "affinity", "priorityClassName", "hostAliases", "dnsConfig")


@pytest.mark.parametrize("service", SERVICES)
def test_every_pod_gets_the_nodes_and_pull_secrets_of_the_platform(repository: Path, service: str) -> None:
    pods = dict(shop.of_variant(repository, "platform").pods(service))

    assert len(pods) == 4  # server, worker, migration, smoke
    for spec in pods.values():
        assert {name: spec[name] for name in OF_EVERY_POD} == {name: PLATFORM[name] for name in OF_EVERY_POD}
        assert spec["imagePullSecrets"] == [{"name": "mirror"}]
        assert [container["image"] for container in spec["containers"]] == [
            f"mirror.test:5000/ghcr/example-shop/{service}:sha-0123456789ab"
        ]


@pytest.mark.parametrize("service", SERVICES)
def test_server_and_migration_get_extra_variables_and_volumes(repository: Path, service: str) -> None:
    found = shop.of_variant(repository, "platform")

    for kind in ("Deployment", "Job"):
        template = found.the(service, kind)["spec"]["template"]
        assert PLATFORM["podLabels"].items() <= template["metadata"]["labels"].items()
        assert PLATFORM["podAnnotations"].items() <= template["metadata"]["annotations"].items()
        spec = template["spec"]
        (container,) = spec["containers"]
        assert PLATFORM["extraEnv"][0] in container["env"]
        assert PLATFORM["extraVolumes"][0] in spec["volumes"]
        assert PLATFORM["extraVolumeMounts"][0] in container["volumeMounts"]
        assert spec["serviceAccountName"] == "shop"
    assert found.of(service, "ServiceAccount") == []


@pytest.mark.parametrize("helm", HELMS)
def test_the_platform_may_choose_the_user(repository: Path, helm: str) -> None:
    text = rendering.text(repository / "helm/user-service", rendering.values(PLATFORM), helm=helm)
    pods = [doc for doc in rendering.docs(text) if doc["kind"] in {"Pod", "Deployment", "Job"}]

    for doc in pods:
        spec = doc["spec"] if doc["kind"] == "Pod" else doc["spec"]["template"]["spec"]
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_annotations_reach_the_service_account(repository: Path) -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/shop"}
    values = rendering.MINIMAL | {"serviceAccount": {"annotations": role}, "migrations": {"engine": "argocd"}}
    found = rendering.docs(rendering.text(repository / "helm/user-service", rendering.values(values)))

    (account,) = (doc for doc in found if doc["kind"] == "ServiceAccount")
    assert account["metadata"]["annotations"] == role | {"argocd.argoproj.io/sync-wave": "-2"}


RESOLVERS: dict[str, Doc] = {
    "Kubernetes": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}, "port": 53},
    "NodeLocal DNSCache, Cilium": {"namespace": "kube-system", "labels": {"k8s-app": "node-local-dns"}, "port": 53},
    "NodeLocal DNSCache, address": {"cidr": "169.254.20.10/32", "port": 53},
    "OpenShift": {"namespace": "openshift-dns", "labels": {"dns.operator.openshift.io/daemonset-dns": "default"},
                  "port": 5353},
}  # fmt: skip


@pytest.mark.parametrize("resolver", RESOLVERS.values(), ids=RESOLVERS)
@pytest.mark.parametrize("service", SERVICES)
def test_pods_reach_the_resolver_of(repository: Path, service: str, resolver: Doc) -> None:
    rules = shop.of_variant(repository, "defaults").the(service, "NetworkPolicy")["spec"]["egress"]

    for protocol in ("UDP", "TCP"):
        open_to = [
            rule["to"] for rule in rules if {"port": resolver["port"], "protocol": protocol} in rule.get("ports", [])
        ]
        assert any(admits(peer, resolver) for peers in open_to for peer in peers)


def test_the_readme_opens_the_way_to_dns_addresses_beside_the_defaults(repository: Path) -> None:
    readme = (rendering.ROOT / "helm/README.md").read_text()
    (said,) = (body for body in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL) if "dns:" in body)
    defaults = yaml.safe_load((rendering.ROOT / "helm/user-service/values.yaml").read_text())["networkPolicy"]["dns"]

    peers = yaml.safe_load(said)["networkPolicy"]["dns"]["to"]

    assert [peer for peer in peers if peer not in defaults["to"]] == [{"ipBlock": {"cidr": "10.96.0.10/32"}}]
    assert all(peer in peers for peer in defaults["to"])


@pytest.mark.parametrize("service", SERVICES)
def test_migration_is_told_the_role_of_the_service(repository: Path, service: str) -> None:
    job = shop.of_environment(repository, "prod").the(service, "Job")["spec"]["template"]["spec"]["containers"][0]

    assert shop.variables(job)["APP_ROLE"] == service.replace("-", "_")


def admits(peer: Doc, resolver: Doc) -> bool:
    def matches(selector: str, labels: Any) -> bool:
        wanted: Doc = peer.get(selector, {}).get("matchLabels", {})
        return wanted.items() <= labels.items()

    if "ipBlock" in peer or "cidr" in resolver:
        return bool(peer.get("ipBlock", {}).get("cidr") == resolver.get("cidr"))
    namespace = {"kubernetes.io/metadata.name": resolver["namespace"]}
    return matches("namespaceSelector", namespace) and matches("podSelector", resolver["labels"])


def test_registry_of_the_platform_is_prepended_to_the_image(repository: Path) -> None:
    values = rendering.MINIMAL | {"image": {"repository": "mine", "tag": "1"}, "global": {"imageRegistry": "r.test/x"}}

    text = rendering.text(repository / "helm/user-service", rendering.values(values))

    assert "image: r.test/x/mine:1" in text


DEFAULTS = {
    "HTTPRoute": [
        ("spec.parentRefs.0", {"group": "gateway.networking.k8s.io", "kind": "Gateway"}),
        ("spec.rules.0.matches.1.path", {"type": "PathPrefix"}),
        ("spec.rules.0.backendRefs.0", {"group": "", "kind": "Service", "weight": 1}),
    ],
    "ExternalSecret": [
        ("spec.target", {"creationPolicy": "Owner", "deletionPolicy": "Retain"}),
        ("spec.data.0.remoteRef",
         {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("variant", "kind"), [("gateway", "HTTPRoute"), ("external", "ExternalSecret")])
@pytest.mark.parametrize("service", SERVICES)
def test_defaults_of_custom_kinds_are_written_out(repository: Path, service: str, variant: str, kind: str) -> None:
    doc = shop.of_variant(repository, variant).the(service, kind)

    for path, defaults in DEFAULTS[kind]:
        node: Any = doc
        for step in path.split("."):
            node = node[int(step)] if step.isdigit() else node[step]
        assert defaults.items() <= node.items()


@pytest.mark.parametrize("service", SERVICES)
def test_hooks_that_succeeded_leave_nothing_behind(repository: Path, service: str) -> None:
    found = shop.of_variant(repository, "defaults")

    for kind in ("Job", "Pod"):
        policy = found.the(service, kind)["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert policy == "before-hook-creation,hook-succeeded"
