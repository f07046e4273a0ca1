"""Values that fit the schema but contradict each other are refused with an explanation."""

from __future__ import annotations

from pathlib import Path

import pytest
import rendering
from rendering import Doc
from test_values import OPEN, PLAIN, SHARED_COUNT, render

from chassis.settings import parse_proxies


def behind(proxies: object) -> Doc:
    return OPEN | {"config": {"TRUSTED_PROXIES": proxies}}


def scaled(**limits: int) -> Doc:
    return PLAIN | {"autoscaling": {"enabled": True, **limits}}


def disrupted(replicas: int, at_least: int | str) -> Doc:
    return PLAIN | {"replicas": replicas, "podDisruptionBudget": {"minAvailable": at_least}}


# (values, text of the message)
UNSAFE: dict[str, tuple[Doc, str]] = {
    "no image": ({"database": PLAIN["database"]}, "no image is named: set image.digest, or in dev image.tag"),
    "fixed and scaled": (
        PLAIN | {"replicas": 3, "autoscaling": {"enabled": True}},
        r"replicas \(3\) is not used with autoscaling: set it to 1; where pods run already, first hand the field over",
    ),
    "scaled in place of replicas": (scaled(), "autoscaling.minReplicas is missing: .* first hand the field over"),
    "fewest above most": (scaled(minReplicas=9, maxReplicas=3), r"minReplicas \(9\) is above .* raise maxReplicas"),
    "all pods must stay": (disrupted(3, 3), r"minAvailable \(3\) keeps all of the 3 pods"),
    "a share that is all pods": (disrupted(2, "60%"), r"minAvailable \(60%\) keeps all of the 2 pods"),
    "all scaled pods must stay": (
        scaled(minReplicas=2) | {"podDisruptionBudget": {"minAvailable": 2}},
        "keeps all of the 2 pods",
    ),
    "every pod a proxy": (behind("10.0.0.0/8"), "10.0.0.0/8 is so wide"),
    "a cluster's pods": (behind("192.0.2.1, 10.244.0.0/16"), "10.244.0.0/16 is so wide"),
    "everybody a proxy": (behind("::/0"), "::/0 is so wide"),
    "a cluster's IPv6 pods": (behind("fd00:10:244::/56"), "fd00:10:244::/56 is so wide"),
    "all of IPv4 as IPv6": (behind("::ffff:0:0/96"), "::ffff:0:0/96 is so wide"),
    "a cluster's pods as IPv6": (behind("::ffff:10.0.0.0/104"), "::ffff:10.0.0.0/104 is so wide"),
    "IPv4 in long IPv6": (behind("0:0:0:0:0:FFFF:0:0/120"), "FFFF:0:0/120 is so wide"),
    "an address within a network": (behind("10.20.0.1/24"), "10.20.0.1/24 names an address within a network"),
}


@pytest.mark.parametrize(("values", "said"), UNSAFE.values(), ids=UNSAFE)
def test_unsafe_values_are_refused_with_an_explanation(repository: Path, values: Doc, said: str) -> None:
    with pytest.raises(rendering.Refused, match=f"user-service: .*{said}"):
        render(repository, "helm4", values)


def test_all_faults_are_named_at_once(repository: Path) -> None:
    with pytest.raises(rendering.Refused) as refusal:
        render(repository, "helm3", scaled(minReplicas=9) | behind("::/0, 10.0.0.0/8") | SHARED_COUNT)

    assert str(refusal.value).count("\nuser-service: ") == 2  # the first message follows Helm's own text


PROXIES = "192.0.2.1, 10.20.0.0/20, 10.20.0.4/30, 10.20.0.1/32, fd00:20::/64, ::1, 2001:db8::1"
SAFE: dict[str, Doc] = {
    "networks of proxies": behind(PROXIES),
    "the most proxies": behind(10),
    "attempts in memory in dev": PLAIN | {"replicas": 3},
    "autoscaling": scaled(minReplicas=3),
    "autoscaling, exposed": scaled(minReplicas=3) | OPEN | SHARED_COUNT,
    "a pod may go": disrupted(3, 2),
    "a share that leaves a pod": disrupted(3, "60%"),
    "one pod has no budget": disrupted(1, 1),
}


@pytest.mark.parametrize("values", SAFE.values(), ids=SAFE)
def test_safe_values_are_not_refused(repository: Path, values: Doc) -> None:
    assert "kind: Deployment" in render(repository, "helm4", values)


def test_the_service_reads_the_networks_that_are_not_refused() -> None:
    assert parse_proxies(tuple(each.strip() for each in PROXIES.split(",")))
