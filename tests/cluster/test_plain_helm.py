"""The charts without Argo CD: installed, tested and uninstalled with Helm 3 and 4, once through `make kind`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster import images, kind, plain
from cluster.access import eventually, names, run
from localshop.testing import free_ports

each_helm = pytest.mark.parametrize("helm", ["helm3", "helm4"])


def namespace_of(helm: str) -> str:
    return f"shop-{helm}"


@pytest.fixture(scope="module", autouse=True)
def namespaces(programs: None) -> Iterator[None]:
    for helm in ("helm3", "helm4"):
        plain.remove(namespace_of(helm))
    yield
    for helm in ("helm3", "helm4"):
        plain.remove(namespace_of(helm))


@each_helm
def test_a_shop_is_installed_with_one_database(helm: str) -> None:
    kind.open_shop(namespace_of(helm), helm)

    assert {f"deployment.apps/{service}" for service in images.SERVICES} <= set(
        names("-n", namespace_of(helm), "deployments")
    )


def test_the_installed_shop_answers_on_forwarded_ports() -> None:
    user, order = free_ports()

    with kind.forwarded(namespace_of("helm4"), user_service=user, order_service=order):
        assert "p1" in run("curl", "-fsS", f"http://127.0.0.1:{order}/products")
        assert "user-service" in run("curl", "-fsS", f"http://127.0.0.1:{user}/healthz")


def test_installing_again_upgrades_and_keeps_the_data() -> None:
    kind.open_shop(namespace_of("helm4"))


@each_helm
@pytest.mark.parametrize("service", images.SERVICES)
def test_helm_test_passes_where_network_policies_are_enforced(helm: str, service: str) -> None:
    said = run(helm, "test", service, "-n", namespace_of(helm))

    assert "Succeeded" in said


@each_helm
def test_uninstalling_leaves_nothing(helm: str) -> None:
    namespace = namespace_of(helm)

    for service in images.SERVICES:
        run(helm, "uninstall", service, "-n", namespace, "--wait")

    eventually(lambda: plain.left(namespace) == [], "nothing is left", 60, lambda: plain.left(namespace))
