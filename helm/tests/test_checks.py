"""Values that fit the schema but contradict each other are refused with an explanation."""

from __future__ import annotations

from pathlib import Path

import pytest
import rendering
from rendering import Doc
from test_values import GATEWAY, INGRESS, PLAIN, PROD, STAGE, render

BEHIND_ONE: Doc = {"config": {"TRUSTED_PROXIES": 1}}
OWN_SECRET: Doc = {"secret": {"source": "existing", "existingSecret": "shared"}}
PUBLIC = PLAIN | OWN_SECRET | BEHIND_ONE | {"expose": INGRESS}
HTTPS_GATEWAY = GATEWAY | {"gateway": GATEWAY["gateway"] | {"sectionName": "https"}}


def behind(proxies: object) -> Doc:
    return PUBLIC | {"config": {"TRUSTED_PROXIES": proxies}}


# (values, text of the message)
UNSAFE: dict[str, tuple[Doc, str]] = {
    "no image": ({"database": PLAIN["database"]}, "no image is named: set image.digest, or in dev image.tag"),
    "fixed and scaled": (
        PLAIN | {"replicas": 3, "autoscaling": {"enabled": True}},
        r"replicas \(3\) is not used with autoscaling: set it to 1; where pods run already, first hand the field over",
    ),
    "public secrets, ingress": (PUBLIC | {"secret": {}}, "set secret.source to existing or external"),
    "public secrets, gateway": (PUBLIC | {"secret": {}, "expose": GATEWAY}, "set secret.source to existing"),
    "no proxies, ingress": (PUBLIC | {"config": {}}, "expose.via needs config.TRUSTED_PROXIES"),
    "no proxies, gateway": (PUBLIC | {"config": {}, "expose": GATEWAY}, "expose.via needs config.TRUSTED_PROXIES"),
    "every pod a proxy": (behind("10.0.0.0/8"), "10.0.0.0/8 is so wide"),
    "a cluster's pods": (behind("192.0.2.1, 10.244.0.0/16"), "10.244.0.0/16 is so wide"),
    "everybody a proxy": (behind("::/0"), "::/0 is so wide"),
    "a cluster's IPv6 pods": (behind("fd00:10:244::/56"), "fd00:10:244::/56 is so wide"),
    "any listener, prod": (PROD | BEHIND_ONE | {"expose": GATEWAY}, "expose.gateway.sectionName is missing"),
    "any listener, stage": (STAGE | BEHIND_ONE | {"expose": GATEWAY}, "expose.gateway.sectionName is missing"),
    "attempts in memory, prod": (PROD | {"rateLimitStorage": {}}, "rateLimitStorage.existingSecret is missing"),
    "attempts in memory, stage": (STAGE | {"rateLimitStorage": {}}, "rateLimitStorage.existingSecret is missing"),
}


@pytest.mark.parametrize(("values", "said"), UNSAFE.values(), ids=UNSAFE)
def test_unsafe_values_are_refused_with_an_explanation(repository: Path, values: Doc, said: str) -> None:
    with pytest.raises(rendering.Refused, match=f"user-service: .*{said}"):
        render(repository, "helm4", values)


def test_all_faults_are_named_at_once(repository: Path) -> None:
    with pytest.raises(rendering.Refused) as refusal:
        render(repository, "helm3", {"database": PLAIN["database"], "expose": INGRESS})

    assert str(refusal.value).count("\nuser-service: ") == 2  # the first message follows Helm's own text


SAFE: dict[str, Doc] = {
    "a number of proxies": PUBLIC,
    "networks of proxies": behind("192.0.2.1, 10.20.0.0/20, fd00:20::/64"),
    "plain gateway in dev": PUBLIC | {"expose": GATEWAY},
    "https gateway in prod": PROD | BEHIND_ONE | {"expose": HTTPS_GATEWAY},
    "attempts in memory in dev": PLAIN | {"replicas": 3},
    "autoscaling": PLAIN | {"autoscaling": {"enabled": True, "minReplicas": 3}},
}


@pytest.mark.parametrize("values", SAFE.values(), ids=SAFE)
def test_safe_values_are_not_refused(repository: Path, values: Doc) -> None:
    assert "kind: Deployment" in render(repository, "helm4", values)
