"""The schema refuses wrong values with a message that names the value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import rendering
from rendering import HELMS, Doc

DIGEST = "sha256:" + "a" * 64
PLAIN: Doc = rendering.MINIMAL
PROD: Doc = {
    "env": "prod",
    "replicas": 2,
    "image": {"digest": DIGEST},
    "tokens": {"kind": "jwt", "keys": {"existingSecret": "keys"}},
    "secret": {"source": "existing", "existingSecret": "shared"},
    "database": {"existingSecret": "db"},
    "networkPolicy": {"database": {"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]}},
    "rateLimitStorage": {"existingSecret": "valkey", "to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]},
    "mail": {"existingSecret": "mail", "to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]},
    "config": {"MAIL_FROM": "Shop <shop@shop.test>", "PUBLIC_URL": "https://shop.test"},
}
STAGE = PROD | {"env": "stage"}
INGRESS = {"via": "ingress", "host": "shop.test", "ingress": {"tlsSecret": "tls"}}
GATEWAY = {"via": "gateway", "host": "shop.test", "gateway": {"name": "g", "namespace": "gw", "sectionName": "https"}}
# What is reached from outside needs as much in dev as in prod.
OPEN: Doc = PLAIN | {
    "secret": {"source": "existing", "existingSecret": "shared"},
    "config": {"TRUSTED_PROXIES": 1},
    "expose": INGRESS,
}
OPEN_PROD = PROD | {"config": PROD["config"] | {"TRUSTED_PROXIES": 1}, "expose": INGRESS}
OPEN_BY_GATEWAY = OPEN | {"expose": GATEWAY}
# What order-service needs in prod.
IN_PROD: Doc = {name: PROD[name] for name in ("env", "replicas", "image", "secret", "database", "networkPolicy")} | {
    "tokens": {"kind": "jwt"}
}
BY_STRIPE: Doc = {"config": {"PAYMENT_PROVIDER": "stripe"}, "stripe": {"existingSecret": "the-keys"}}
SHARED_COUNT: Doc = {"rateLimitStorage": {"existingSecret": "valkey"}}


def without(base: Doc, where: str) -> Doc:
    """Leave a value out, which `null` in a second file does only for values that the chart has a default of."""
    name, _, rest = where.partition(".")
    return {key: value for key, value in base.items() if key != name or rest} | (
        {name: without(base[name], rest)} if rest else {}
    )


# The service would not start with these.
NO_PROXIES: tuple[object, ...] = (
    11, 99, "11", "00", "01", "ab", "1.2.3", "256.0.0.1", "10.0.0.0/8/24", "10.0.0.0/33", "10.0.0.0/",
    "fd00::g", "fd00::/129",
)  # fmt: skip

# (valid values, place, wrong value, name in the message)
WRONG: list[tuple[Doc, str, Any, str]] = [
    # unknown names
    (PLAIN, "replicaCount", 3, "replicaCount"),
    (PLAIN, "environment", "dev", "environment"),
    (PLAIN, "secretKey", "x", "secretKey"),
    (PLAIN, "extraEnv", [{"name": "TRUSTED_PROXIES", "value": "0.0.0.0/0"}], "extraEnv"),
    (PLAIN, "extraEnv", [{"name": "APP_ROLE", "value": "owner"}], "extraEnv"),
    *(
        (PLAIN, "extraEnv", [{"name": name, "value": "1"}], "extraEnv")
        for name in ("trusted_proxies", "Trusted_Proxies")
    ),
    (PLAIN, "extraEnv", [{"name": "A", "val": "b"}], "val"),
    (PLAIN, "extraVolumes", [{"emptyDir": {}}], "extraVolumes"),
    (PLAIN, "extraVolumes", [{"name": "tmp", "emptyDir": {}}], "name"),
    (PLAIN, "extraVolumes", [{"name": "token-keys", "emptyDir": {}}], "name"),
    (PLAIN, "extraVolumeMounts", [{"name": "ca", "mountPath": "etc"}], "mountPath"),
    (PLAIN, "extraVolumeMounts", [{"name": "ca", "mountPath": "/tmp"}], "mountPath"),
    (PLAIN, "podLabels", {"app.kubernetes.io/name": "x"}, "app.kubernetes.io/name"),
    (PLAIN, "podAnnotations", {"checksum/config": "x"}, "checksum/config"),
    (PLAIN, "podSecurityContext.runAsUser", 0, "runAsUser"),
    (PLAIN, "podSecurityContext.privileged", True, "privileged"),
    (PLAIN, "serviceAccount.create", True, "create"),
    (PLAIN, "nodeSelector", {"disk": True}, "nodeSelector"),
    (PLAIN, "tolerations", ["shop"], "tolerations"),
    (PLAIN, "global.imageRegistry", "https://mirror.test", "imageRegistry"),
    (PLAIN, "image.sha", DIGEST, "sha"),
    (PLAIN, "image.name", "user-service", "name"),
    (PLAIN, "autoscaling.targetCPU", 50, "targetCPU"),
    (PLAIN, "resources.request", {}, "request"),
    (PLAIN, "resources.limits.gpu", "1", "gpu"),
    (PLAIN, "config.APP_ENV", "prod", "APP_ENV"),
    (PLAIN, "config.DATABASE_URL", "postgresql://u:p@h/d", "DATABASE_URL"),
    (PLAIN, "config.TOKEN_SECRETS", "a" * 32, "TOKEN_SECRETS"),
    (PLAIN, "config.ALLOW_DEMO_TOKENS", "1", "ALLOW_DEMO_TOKENS"),
    (PLAIN, "tokens.secret", "x", "secret"),
    (PLAIN, "secret.values", {"A": "b"}, "values"),
    (PLAIN, "database.url", "postgresql://u:p@h/d", "url"),
    (PLAIN, "database.owner.url", "postgresql://u:p@h/d", "url"),
    (PLAIN, "networkPolicy.egress", [], "egress"),
    (PLAIN, "networkPolicy.from", [{"pods": {}}], "pods"),
    (PLAIN, "expose.tls", True, "tls"),
    (PLAIN, "monitoring.enabled", True, "enabled"),
    (PLAIN, "b2c-common.registry", "x", "registry"),
    # wrong types and forms
    (PLAIN, "env", "production", "env"),
    (PLAIN, "env", "local", "env"),
    (PLAIN, "port", 5000, "port"),
    (PLAIN, "port", "5001", "port"),
    (PLAIN, "replicas", "3", "replicas"),
    (PLAIN, "replicas", 0, "replicas"),
    (PLAIN, "replicas", 1001, "replicas"),
    (PLAIN, "image.digest", "a" * 64, "digest"),
    (PLAIN, "image.digest", "sha256:abc", "digest"),
    (PLAIN, "image.tag", "", "tag"),
    (PLAIN, "image.tag", "has space", "tag"),
    (PLAIN, "image.tag", 1.2, "tag"),
    (PLAIN, "image.repository", "ghcr.io/x/user-service:latest", "repository"),
    (PLAIN, "image.repository", "ghcr.io/x/user-service@" + DIGEST, "repository"),
    (PLAIN, "image.pullPolicy", "always", "pullPolicy"),
    (PLAIN, "imagePullSecrets", ["registry"], "imagePullSecrets"),
    (PLAIN, "autoscaling.enabled", "yes", "enabled"),
    (PLAIN, "autoscaling.targetCpuPercent", 0, "targetCpuPercent"),
    (PLAIN, "autoscaling.maxReplicas", 1, "maxReplicas"),
    (PLAIN, "podDisruptionBudget", {"minAvailable": 1, "maxUnavailable": 1}, "podDisruptionBudget"),
    (PLAIN, "podDisruptionBudget", {"maxUnavailable": 0}, "maxUnavailable"),
    (PLAIN, "podDisruptionBudget", {"minAvailable": "100%"}, "minAvailable"),
    (PLAIN, "resources.requests.cpu", "one", "cpu"),
    (PLAIN, "resources.requests.cpu", 0, "cpu"),
    (PLAIN, "resources.limits.memory", "1GB", "memory"),
    *((PLAIN, "resources.limits.memory", nothing, "memory") for nothing in ("0", "0Mi", "0.0Gi", "00m")),
    (PLAIN, "migrations.resources.limits.memory", "1.Gi", "memory"),
    (PLAIN, "migrations.deadlineSeconds", 0, "deadlineSeconds"),
    (PLAIN, "resources.limits", None, "limits"),
    (PLAIN, "resources", None, "resources"),
    (PLAIN, "config.LOG_LEVEL", "debug", "LOG_LEVEL"),
    (PLAIN, "config.WORKERS", 0, "WORKERS"),
    (PLAIN, "config.HOST", "localhost", "HOST"),
    (PLAIN, "config.TRUSTED_PROXIES", 0, "TRUSTED_PROXIES"),
    (PLAIN, "config.TRUSTED_PROXIES", "0", "TRUSTED_PROXIES"),
    (PLAIN, "config.TRUSTED_PROXIES", "proxy.test", "TRUSTED_PROXIES"),
    *((PLAIN, "config.TRUSTED_PROXIES", wrong, "TRUSTED_PROXIES") for wrong in NO_PROXIES),
    (PLAIN, "config.SESSION_FEED_MAX_AGE_SECONDS", 0, "SESSION_FEED_MAX_AGE_SECONDS"),
    (PLAIN, "config.DATABASE_POOL_SIZE", "8", "DATABASE_POOL_SIZE"),
    (PLAIN, "shutdown.preStopSeconds", 0, "preStopSeconds"),
    (PLAIN, "shutdown.drainSeconds", -1, "drainSeconds"),
    (PLAIN, "tokens.kind", "hs256", "kind"),
    (PLAIN, "tokens.issuer", "", "issuer"),
    (PLAIN, "tokens.ttlSeconds", 86401, "ttlSeconds"),
    (PLAIN, "tokens.kind", "jwt", "existingSecret"),
    (PLAIN, "secret.source", "vault", "source"),
    (PLAIN, "secret.source", "existing", "existingSecret"),
    (PLAIN, "secret", {"source": "external"}, "remoteKey"),
    (PLAIN, "secret", {"source": "external", "external": {"remoteKey": "x"}}, "name"),
    (PLAIN, "secret.external.refreshInterval", "often", "refreshInterval"),
    (PLAIN, "database.existingSecret", "Not_A_Name", "existingSecret"),
    ({}, "replicas", 1, "existingSecret"),
    (PLAIN, "migrations.engine", "flux", "engine"),
    (PLAIN, "networkPolicy.from", [{}], "from"),
    (PLAIN, "networkPolicy.database.to", [{"ipBlock": {"cidr": "db.internal"}}], "cidr"),
    (PLAIN, "networkPolicy.database.port", 70000, "port"),
    (PLAIN, "networkPolicy.dns.to", [], "to"),
    (PLAIN, "expose.via", "loadbalancer", "via"),
    (PLAIN, "expose.host", "https://shop.test", "host"),
    (PLAIN, "expose.paths", ["login"], "paths"),
    (PLAIN, "expose.paths", [], "paths"),
    (PLAIN, "expose.paths", ["/"], "paths"),
    (PLAIN, "expose.exactPaths", ["/"], "exactPaths"),
    (PLAIN, "expose", GATEWAY | {"gateway": {"name": "g"}}, "namespace"),
    (PLAIN, "database.appRole", "user-service", "appRole"),
    (PLAIN, "database.appRole", "user_service", "existingSecret"),
    # what is reached from outside
    (without(OPEN, "expose.host"), "env", "dev", "host"),
    (OPEN, "expose", INGRESS | {"via": "gateway"}, "gateway"),
    (without(OPEN, "expose.ingress.tlsSecret"), "env", "dev", "tlsSecret"),
    (without(OPEN_PROD, "expose.ingress.tlsSecret"), "env", "prod", "tlsSecret"),
    (without(OPEN_BY_GATEWAY, "expose.gateway.sectionName"), "env", "dev", "sectionName"),
    (OPEN_BY_GATEWAY, "secret.source", "chart", "source"),
    (without(OPEN_BY_GATEWAY, "config.TRUSTED_PROXIES"), "env", "dev", "TRUSTED_PROXIES"),
    (OPEN, "secret.source", "chart", "source"),
    (without(OPEN, "config.TRUSTED_PROXIES"), "env", "dev", "TRUSTED_PROXIES"),
    (OPEN, "networkPolicy.enabled", False, "enabled"),
    (OPEN, "replicas", 2, "existingSecret"),
    (OPEN, "autoscaling", {"enabled": True, "minReplicas": 1}, "existingSecret"),
    (OPEN, "config.WORKERS", 2, "existingSecret"),
    (PLAIN, "monitoring.interval", "30", "interval"),
    # refused in stage and prod only
    (PROD, "image", {"digest": None, "tag": "1.2.3"}, "digest"),
    (STAGE, "image", {"digest": None, "tag": "1.2.3"}, "digest"),
    (PROD, "replicas", 1, "replicas"),
    (STAGE, "replicas", 1, "replicas"),
    (PROD, "autoscaling", {"enabled": True, "minReplicas": 1}, "minReplicas"),
    (PROD, "tokens.kind", "demo", "kind"),
    (STAGE, "tokens.kind", "demo", "kind"),
    (PROD, "secret.source", "chart", "source"),
    (STAGE, "secret.source", "chart", "source"),
    (PROD, "migrations.enabled", False, "enabled"),
    (PROD, "networkPolicy.enabled", False, "enabled"),
    (PROD, "networkPolicy.database.to", [], "to"),
    (PROD, "rateLimitStorage.to", [], "to"),
    (without(PROD, "rateLimitStorage.existingSecret"), "env", "prod", "existingSecret"),
    (without(STAGE, "rateLimitStorage.existingSecret"), "env", "stage", "existingSecret"),
    (PROD, "rateLimitStorage", None, "rateLimitStorage"),
    (PROD, "mail.to", [], "to"),
    (without(PROD, "mail.existingSecret"), "env", "prod", "existingSecret"),
    (without(STAGE, "config.MAIL_FROM"), "env", "stage", "MAIL_FROM"),
    (without(STAGE, "config.PUBLIC_URL"), "env", "stage", "PUBLIC_URL"),
    (PROD, "worker.replicas", 0, "replicas"),
    (PROD, "tokens.keys", None, "keys"),
]


def overlay(where: str, wrong: Any) -> Doc:
    for name in reversed(where.split(".")):
        wrong = {name: wrong}
    return dict(wrong)


def render(repository: Path, helm: str, base: Doc, *more: Doc) -> str:
    files = [rendering.values(values) for values in (base, *more)]
    return rendering.text(repository / "helm/user-service", *files, helm=helm)


# Helm 3 and 4 use different schema libraries; conditions, where they could differ, are tested with both.
CASES = [(helm, *row) for row in WRONG for helm in HELMS if helm == "helm4" or row[0] is not PLAIN]


@pytest.mark.parametrize(
    ("helm", "base", "where", "wrong", "named"), CASES, ids=[f"{row[0]}-{row[2]}={row[3]}"[:60] for row in CASES]
)
def test_wrong_values_are_refused_by_name(  # noqa: PLR0917 - a row of the table
    repository: Path, helm: str, base: Doc, where: str, wrong: Any, named: str
) -> None:
    with pytest.raises(rendering.Refused) as refusal:
        render(repository, helm, base, overlay(where, wrong))

    message = str(refusal.value)
    assert "values don't meet the specifications of the schema" in message
    assert re.search(rf"\b{named}\b", message.partition("user-service:")[2])


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("right", [PLAIN, PROD, STAGE, OPEN, OPEN_PROD, OPEN_BY_GATEWAY, PLAIN | {"global": {"x": 1}}])
def test_right_values_are_not_refused(repository: Path, helm: str, right: Doc) -> None:
    assert "kind: Deployment" in render(repository, helm, right)


@pytest.mark.parametrize("several", [{"replicas": 5}, {"config": {"TRUSTED_PROXIES": 1, "WORKERS": 4}}])
def test_several_processes_that_count_together_may_be_exposed(repository: Path, several: Doc) -> None:
    assert "RATE_LIMIT_STORAGE_URL" in render(repository, "helm4", OPEN | several | SHARED_COUNT)


@pytest.mark.parametrize("helm", HELMS)
def test_helm_lint_refuses_an_exposed_service_without_certificate(repository: Path, helm: str) -> None:
    values = rendering.values(OPEN | {"expose": INGRESS | {"ingress": {}}})

    with pytest.raises(rendering.Refused, match=r"1 chart\(s\) failed"):
        rendering.run(helm, "lint", repository / "helm/user-service", "-f", values)


def test_order_service_needs_the_address_of_user_service(repository: Path) -> None:
    files = rendering.values(PLAIN), rendering.values({"userServiceUrl": None})

    with pytest.raises(rendering.Refused, match="userServiceUrl"):
        rendering.text(repository / "helm/order-service", *files)


@pytest.mark.parametrize("helm", HELMS)
def test_order_service_can_hold_no_token_keys(repository: Path, helm: str) -> None:
    keys = rendering.values({"tokens": {"kind": "jwt", "keys": {"existingSecret": "keys"}}})

    with pytest.raises(rendering.Refused, match="keys"):
        rendering.text(repository / "helm/order-service", rendering.values(PLAIN), keys, helm=helm)


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    ("base", "wrong", "named"),
    [
        (PLAIN, {"config": {"PAYMENT_PROVIDER": "stripe"}}, "existingSecret"),
        (PLAIN, {"config": {"PAYMENT_PROVIDER": "paypal"}}, "PAYMENT_PROVIDER"),
        (PLAIN, {"stripe": {"to": []}}, "to"),
        (PLAIN, {"stripe": None}, "stripe"),
        (IN_PROD, {"config": {"PAYMENT_PROVIDER": "test"}}, "PAYMENT_PROVIDER"),
    ],
)
def test_wrong_payments_are_refused_by_name(repository: Path, helm: str, base: Doc, wrong: Doc, named: str) -> None:
    with pytest.raises(rendering.Refused, match=rf"\b{named}\b"):
        rendering.text(repository / "helm/order-service", rendering.values(base), rendering.values(wrong), helm=helm)


def test_payments_by_stripe_are_accepted_with_their_secret(repository: Path) -> None:
    mails = {"MAIL_FROM": "Shop <shop@shop.example.com>", "PUBLIC_URL": "https://shop.example.com"}
    payments = rendering.values(
        BY_STRIPE
        | {
            "config": BY_STRIPE["config"] | mails,
            "mail": {"existingSecret": "the-mail", "to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]},
        }
    )

    assert "kind: Deployment" in rendering.text(repository / "helm/order-service", rendering.values(IN_PROD), payments)
