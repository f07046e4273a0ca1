"""The shop by way of git and Argo CD; the tests build on each other in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import argo, databases, images, runbook, shop, shopper
from cluster.access import eventually, get, items, kubectl, names
from cluster.repository import Repository

FIRST_CLUSTER, PROMOTE, ROLLBACK = (f"docs/runbooks/{name}.md" for name in ("first-cluster", "promote", "rollback"))
NEVER_BUILT = "sha256:" + "b" * 64
FAILS = "RUN echo 'raise SystemExit(\"this migration fails\")' > /app/order_service/__main__.py"


def deployed(namespace: str, service: str) -> str:
    """Return the image of a Deployment."""
    (container,) = get("-n", namespace, "deployment", service)["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def digest_of(application: str) -> str:
    return str(argo.application(application)["spec"]["info"][0]["value"]).rpartition("@")[2]


def test_argo_cd_brings_up_six_synced_and_healthy_applications(running: Repository) -> None:
    found = argo.applications()

    assert {name: argo.state(each) for name, each in found.items()} == {
        f"{service}-{env}": ("Synced", "Healthy") for service in images.SERVICES for env in shop.ENVIRONMENTS
    }
    assert argo.state(argo.application(argo.ROOT_NAME))[0] == "Synced"
    assert not [each for each in found.values() if each["status"].get("conditions")]


def test_the_chart_is_of_the_release_and_the_values_are_of_main(running: Repository) -> None:
    newest = running.git("rev-parse", "HEAD")
    revision = argo.application("user-service-dev")["status"]["sync"]["revision"]

    assert revision != newest
    assert "preStopSeconds: 5" in argo.application("user-service-dev")["spec"]["source"]["helm"]["values"]


@pytest.mark.parametrize(("service", "seconds"), [("user-service", 5), ("order-service", 6)])
def test_a_value_of_the_service_wins_over_the_common_one(running: Repository, service: str, seconds: int) -> None:
    (container,) = get("-n", "b2c-dev", "deployment", service)["spec"]["template"]["spec"]["containers"]

    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == seconds


@pytest.mark.parametrize("namespace", shop.NAMESPACES)
def test_a_customer_walks_through_the_contract(running: Repository, namespace: str) -> None:
    assert shopper.walk(namespace) == shopper.PROMISED


def test_the_runbooks_readiness_command_tells_what_is_missing(running: Repository, tmp_path: Path) -> None:
    command = runbook.block(FIRST_CLUSTER, "/readyz")
    assert "200" in runbook.follow(command, tmp_path)

    databases.sql("b2c-dev", "user-service-db", "ALTER ROLE user_service NOLOGIN")
    terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'user_service'"
    databases.sql("b2c-dev", "user-service-db", terminate)
    try:
        eventually(lambda: "503" in runbook.follow(command, tmp_path), "the pod is not ready", 30)
    finally:
        databases.sql("b2c-dev", "user-service-db", "ALTER ROLE user_service LOGIN")
    eventually(lambda: "200" in runbook.follow(command, tmp_path), "the pod is ready again", 60)


def test_the_keys_are_rotated_with_nothing_but_kubectl(running: Repository, tmp_path: Path) -> None:
    rotate = runbook.block("docs/runbooks/rotate-keys.md", "user_service keys")

    said = runbook.follow(rotate + "\ncat keys.json", tmp_path, NS="b2c-dev")

    assert said.count('"kid"') == 2


@pytest.mark.parametrize("env", ["dev", "stage"])
def test_a_release_under_load_fails_no_request(running: Repository, env: str, note: list[str]) -> None:
    namespace = f"b2c-{env}"
    new = {service: images.variant(service, "e2e-new", "LABEL e2e=new") for service in images.SERVICES}

    with shopper.buying(namespace) as counts:
        if env == "dev":
            for service in images.SERVICES:
                running.touch(service)
            running.release(new)
        else:
            running.promote("dev", "stage")
        for service, digest in new.items():
            argo.wait_until_it_runs(f"{service}-{env}", digest)
            assert deployed(namespace, service).endswith(digest)
        # Replaced pods may still be terminating.
        gone = f"pods of b2c-{env} have ended"
        eventually(lambda: len(items("-n", namespace, "pods", *RUNNING)) == pods_wanted(namespace), gone, 90)

    note.append(f"release to {env}: {counts['requests']} requests, {counts['failed']} failed")
    assert counts["failures"] == []
    assert counts["requests"] > 100


RUNNING = ("-l", "app.kubernetes.io/component=server")


def pods_wanted(namespace: str) -> int:
    return sum(each["spec"]["replicas"] for each in items("-n", namespace, "deployments"))


def stuck(application: str, digest: str) -> bool:
    """Tell whether a sync to this image is running."""
    operation = argo.application(application).get("status", {}).get("operationState", {})
    source = operation.get("operation", {}).get("sync", {}).get("source") or operation.get("syncResult", {}).get(
        "source"
    )
    return operation.get("phase") == "Running" and digest in str(source)


@pytest.mark.parametrize("fault", ["never built", "failing"])
def test_a_bad_migration_is_rolled_back_in_a_minute(running: Repository, fault: str, tmp_path: Path) -> None:
    # given a release whose migration fails
    name, good = "order-service-dev", digest_of("order-service-dev")
    bad = (
        NEVER_BUILT
        if fault == "never built"
        else images.variant("order-service", "e2e-bad", "USER 0", FAILS, "USER 10001")
    )
    running.touch("order-service")
    running.release({"order-service": bad})
    argo.refresh()
    eventually(
        lambda: stuck(name, bad), "the sync waits for its migration", 60, lambda: argo.explain(argo.application(name))
    )

    # then the old pods keep serving, and the alert's expression matches the sync
    assert deployed("b2c-dev", "order-service").endswith(good)
    assert shopper.walk("b2c-dev") == shopper.PROMISED
    eventually(lambda: any(is_syncing(line, name) for line in argo.metrics().splitlines()), "the metric tells", 30)

    # when it is rolled back in git, the running sync still has the bad release
    running.b2cctl("rollback", "dev", "order-service", "--reason", "its migration does not end", "--direct")
    argo.refresh()
    eventually(lambda: digest_of(name) == good, "the Application wants the release before", 60)
    assert stuck(name, bad)

    # then the runbook's command ends it, and Argo CD deploys the earlier release
    end = runbook.with_names(runbook.block(ROLLBACK, "Terminating"), **{"user-service-prod": name})
    runbook.follow(end, tmp_path)
    argo.wait_until_it_runs(name, good, 60)
    assert shopper.walk("b2c-dev") == shopper.PROMISED
    running.b2cctl("unhold", "dev", "order-service", "--direct")


def is_syncing(line: str, application: str) -> bool:
    labels = (f'name="{application}"', 'operation="sync"', 'dest_namespace="b2c-dev"')
    return line.startswith("argocd_app_info{") and all(label in line for label in labels)


def test_self_heal_restores_what_git_names_and_leaves_what_was_added(running: Repository) -> None:
    where = ("-n", "b2c-stage", "deployment/user-service")

    kubectl("-n", "b2c-stage", "set", "env", "deployment/user-service", "ADDED_BY_HAND=1")
    kubectl("-n", "b2c-stage", "scale", "deployment/user-service", "--replicas=1")
    kubectl("-n", "b2c-stage", "delete", "service/user-service")

    def healed() -> bool:
        argo.refresh("user-service-stage")
        return get(*where)["spec"]["replicas"] == 2 and bool(names("-n", "b2c-stage", "service/user-service"))

    eventually(healed, "the Deployment has two replicas and its Service again", 90)
    assert "ADDED_BY_HAND" in str(get(*where))
    kubectl("-n", "b2c-stage", "set", "env", "deployment/user-service", "ADDED_BY_HAND-")
    kubectl("-n", "b2c-stage", "rollout", "status", "deployment/user-service", "--timeout=120s")


def test_object_removed_from_git_is_deleted_in_stage_and_kept_in_prod(running: Repository) -> None:
    ingress = "ingress/user-service"
    for env in ("stage", "prod"):
        running.change_values(env, "user-service", {"expose": {"via": "none"}})
    running.push("Close the shop from outside")

    def wants_pruning() -> bool:
        argo.refresh()
        resources = argo.application("user-service-prod")["status"]["resources"]
        return any(each["kind"] == "Ingress" and each.get("requiresPruning") for each in resources)

    eventually(wants_pruning, "prod's Ingress requires pruning", 90)
    eventually(lambda: not names("-n", "b2c-stage", ingress), "stage's Ingress is gone", 90)
    assert names("-n", "b2c-prod", ingress)

    for env in ("stage", "prod"):
        running.change_values(env, "user-service", {"expose": {"via": "ingress"}})
    running.push("Open the shop again")
    argo.refresh()
    eventually(lambda: argo.all_run(6), "six Applications are Synced and Healthy again", 120, argo.explain_all)


def test_runbook_removes_a_service(running: Repository, tmp_path: Path) -> None:
    # given the release file is deleted
    pods = items("-n", "b2c-prod", "pods", "-l", "app.kubernetes.io/name=order-service")
    (running.clone / "gitops/envs/prod/releases/order-service.yaml").unlink()
    running.push("Take order-service out of prod")
    argo.refresh()
    eventually(lambda: argo.applications().keys() >= {"order-service-prod"}, "the Application stays", 5)
    assert len(items("-n", "b2c-prod", "pods", "-l", "app.kubernetes.io/name=order-service")) == len(pods)

    # when
    runbook.follow(runbook.block("docs/runbooks/remove-service.md", "finalizers"), tmp_path)

    # then all its objects are deleted and stay deleted
    kinds = "deployments,pods,services,configmaps,jobs,ingresses,networkpolicies,poddisruptionbudgets,serviceaccounts"
    left = ("-n", "b2c-prod", kinds, "-l", "app.kubernetes.io/name=order-service")
    eventually(lambda: not names(*left), "nothing is left", 90, lambda: names(*left))
    argo.refresh()
    assert "order-service-prod" not in argo.applications()
    assert argo.state(argo.application("user-service-prod")) == ("Synced", "Healthy")


def test_shop_keeps_running_without_root_and_application_sets(running: Repository) -> None:
    before = sorted(names("-A", "pods", *RUNNING))

    kubectl("-n", "argocd", "delete", "applications.argoproj.io", argo.ROOT_NAME)
    kubectl("-n", "argocd", "delete", "applicationsets.argoproj.io", *argo.SETS)

    assert len(argo.applications()) == 5
    assert sorted(names("-A", "pods", *RUNNING)) == before
