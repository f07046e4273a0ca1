"""Three environments, two services, two versions of Helm and eight of Kubernetes render valid manifests."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import argo
import kubernetes_validate
import pytest
import rendering
import shop
from rendering import ENVIRONMENTS, HELMS, KUBERNETES, ROOT, SERVICES

CUSTOM = {"ExternalSecret", "HTTPRoute", "PrometheusRule", "ServiceMonitor"}


def validate(found: list[rendering.Doc], kube: str) -> None:
    for doc in found:
        if doc["kind"] not in CUSTOM:
            kubernetes_validate.validate(doc, kube, strict=True)


@pytest.mark.parametrize("kube", KUBERNETES)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_application_renders_valid_manifests(repository: Path, env: str, kube: str) -> None:
    found = shop.of_environment(repository, env, kube=kube)

    for service in SERVICES:
        validate(found.docs[service], kube)


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_application_renders_twice_the_same(repository: Path, env: str, helm: str) -> None:
    for application in shop.applications(repository, env):
        first, second = (argo.render(application, repository, helm) for _ in range(2))

        assert first == second


@pytest.mark.parametrize("service", SERVICES)
def test_a_kubernetes_that_is_too_old_is_refused(repository: Path, service: str) -> None:
    with pytest.raises(rendering.Refused, match=r"kubeVersion: >=1\.30\.0-0"):
        rendering.text(repository / "helm" / service, rendering.values(rendering.MINIMAL), kube="1.29")


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_helm_3_and_helm_4_render_the_same(repository: Path, env: str) -> None:
    three, four = (shop.of_environment(repository, env, helm) for helm in HELMS)

    assert three == four


@pytest.mark.parametrize("variant", shop.VARIANTS)
def test_every_variant_renders_valid_manifests(repository: Path, variant: str) -> None:
    found = shop.of_variant(repository, variant)

    for service in SERVICES:
        validate(found.docs[service], KUBERNETES[0])


def test_invalid_manifest_is_found(repository: Path) -> None:
    found = copy.deepcopy(shop.of_environment(repository, "prod").the("user-service", "Deployment"))
    found["spec"]["template"]["spec"]["containers"][0]["securityContxt"] = {}

    with pytest.raises(kubernetes_validate.ValidationError, match="securityContxt"):
        validate([found], "1.36")


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("service", SERVICES)
def test_helm_lint_passes(repository: Path, service: str, helm: str) -> None:
    said = rendering.run(
        helm, "lint", "--strict", repository / "helm" / service, "-f", rendering.values(rendering.MINIMAL)
    )

    assert "1 chart(s) linted, 0 chart(s) failed" in said


ACTION = re.compile(r"{{.*?}}", re.DOTALL)
# A template with one of these may render differently each time or in each cluster.
CHANCE = re.compile(r"\b(lookup|rand\w*|gen(CA|PrivateKey|SelfSigned|Signed)\w*|uuidv4|now|getHostByName|htpasswd)\b")


def test_charts_use_no_cluster_look_up_and_no_random_value() -> None:
    templates = [*(ROOT / "helm").glob("*/templates/*"), *(ROOT / "gitops").glob("**/templates/*")]

    said = {
        str(template.relative_to(ROOT)): CHANCE.findall("".join(ACTION.findall(template.read_text())))
        for template in templates
    }

    assert {"helm/b2c-common/templates/_secrets.tpl", "gitops/bootstrap/templates/projects.yaml"} <= said.keys()
    assert not [name for name, found in said.items() if found]


@pytest.mark.parametrize(
    "planted", ['(lookup "v1" "Secret" "a" "b")', "randAlphaNum 32", 'genPrivateKey "ed25519"', "now"]
)
def test_random_value_in_a_template_is_found(planted: str) -> None:
    assert CHANCE.search(ACTION.findall(f"a: {{{{ {planted} }}}}")[0])


@pytest.mark.parametrize("helm", HELMS)
def test_a_large_number_reaches_the_cluster_as_it_is(repository: Path, helm: str) -> None:
    month = rendering.values(
        rendering.MINIMAL
        | {"config": {"REFRESH_TTL_SECONDS": 2592000}, "podSecurityContext": {"runAsUser": 1000650000}}
    )

    text = rendering.text(repository / "helm/user-service", month, helm=helm)

    assert 'REFRESH_TTL_SECONDS: "2592000"' in text
    assert "runAsUser: 1000650000" in text


@pytest.mark.parametrize("service", SERVICES)
def test_consent_to_an_unverified_database_reaches_service_and_migration(repository: Path, service: str) -> None:
    consent = rendering.values(rendering.MINIMAL | {"config": {"ALLOW_UNVERIFIED_DATABASE": True}})
    found = rendering.docs(rendering.text(repository / "helm" / service, consent))
    (settings,) = (doc["data"] for doc in found if doc["kind"] == "ConfigMap")
    (job,) = (doc for doc in found if doc["kind"] == "Job")
    assert settings["ALLOW_UNVERIFIED_DATABASE"] == "true"
    environment = job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "ALLOW_UNVERIFIED_DATABASE", "value": "true"} in environment


@pytest.mark.parametrize("service", SERVICES)
def test_a_plain_install_needs_no_more_than_a_database(repository: Path, service: str) -> None:
    found = rendering.docs(rendering.text(repository / "helm" / service, rendering.values(rendering.MINIMAL)))

    for_webhooks = ["NetworkPolicy"] if service == "order-service" else []
    assert [doc["kind"] for doc in found] == [
        "NetworkPolicy", *for_webhooks, "ServiceAccount", "Secret", "ConfigMap", "Service", "Service", "Deployment",
        "Deployment", "Pod", "Job",
    ]  # fmt: skip


def test_keys_of_stripe_and_the_way_to_it_reach_server_and_worker(repository: Path) -> None:
    by_stripe = {"config": {"PAYMENT_PROVIDER": "stripe"}, "stripe": {"existingSecret": "the-keys"}}
    chart, plain = repository / "helm/order-service", rendering.values(rendering.MINIMAL)
    found = rendering.docs(rendering.text(chart, plain, rendering.values(by_stripe)))

    names = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
    for deployment in (doc for doc in found if doc["kind"] == "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        given = shop.variables(container)
        assert {name: given[name] for name in names} == {name: ("the-keys", name) for name in names}
    policy = next(doc for doc in found if doc["kind"] == "NetworkPolicy" and doc["metadata"]["name"] == "order-service")
    (way,) = (rule for rule in policy["spec"]["egress"] if rule["ports"] == [{"port": 443}])
    assert {"ipBlock": {"cidr": "2000::/3"}} in way["to"]
    assert "STRIPE" not in rendering.text(chart, plain)


@pytest.mark.parametrize("service", SERVICES)
def test_the_notes_say_what_to_do_next(repository: Path, service: str) -> None:
    chart, database = repository / "helm" / service, rendering.values(rendering.MINIMAL)
    kubeconfig = rendering.values({"apiVersion": "v1", "kind": "Config"})

    said = rendering.run(
        "helm4",
        "install",
        "x",
        chart,
        "-f",
        database,
        "--dry-run=client",
        "--kubeconfig",
        kubeconfig,
        "--namespace",
        "b2c-dev",
    )

    notes = said.partition("NOTES:")[2]
    assert f"kubectl -n b2c-dev rollout status deployment/{service}" in notes
    assert "helm test x -n b2c-dev" in notes
    assert "WARNING: this release signs with secrets that stand in the chart" in notes
