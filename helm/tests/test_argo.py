"""gitops/ as Argo CD reads it: six isolated Applications, and no accidental deletion."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import argo
import jsonschema_rs
import pytest
import rendering
import shop
import yaml
from rendering import ENVIRONMENTS, ROOT, SERVICES, Doc

from charts import fork

CRDS = ROOT.parent / "shared/schemas/argocd"
SCHEMA = ROOT / "gitops/policy/release.schema.json"


# The chart's own secret and its test are never deployed by Argo CD.
PLAIN_HELM_ONLY = {"Secret", "Pod"}


def every_application(repository: Path) -> list[Doc]:
    return [application for env in ENVIRONMENTS for application in shop.applications(repository, env)]


def named(repository: Path, kind: str, env: str) -> Doc:
    (found,) = (
        doc for doc in argo.of_kind(argo.bootstrap(repository), kind) if doc["metadata"]["name"] == f"b2c-{env}"
    )
    return found


def test_six_applications_each_in_its_project_and_namespace(repository: Path) -> None:
    found = {
        application["metadata"]["name"]: (
            application["spec"]["project"],
            application["spec"]["destination"]["namespace"],
        )
        for application in every_application(repository)
    }

    assert found == {
        f"{service}-{env}": (f"b2c-{env}", f"b2c-{env}") for env in ("dev", "stage", "prod") for service in SERVICES
    }
    assert len(every_application(repository)) == 6


def test_an_application_runs_the_chart_and_the_image_of_its_release(repository: Path) -> None:
    release = yaml.safe_load((shop.RELEASES / "user-service.yaml").read_text())

    (application,) = (
        app for app in shop.applications(repository, "prod") if app["metadata"]["name"] == "user-service-prod"
    )

    (source,) = argo.sources(application)
    assert source["targetRevision"] == release["chartRevision"]
    assert source["path"] == "helm/user-service"
    assert argo.chart_values(application)["image"] == release["image"]


def test_a_chart_gets_its_values_and_no_field_of_the_release(repository: Path) -> None:
    properties = yaml.safe_load(SCHEMA.read_text())["properties"]
    (application,) = (
        app for app in shop.applications(repository, "prod") if app["metadata"]["name"] == "user-service-prod"
    )

    common, own = (
        argo.values_files(repository)[f"gitops/envs/prod/values/{n}.yaml"] for n in ("common", "user-service")
    )

    assert argo.chart_values(application).keys() == common.keys() | own.keys() | {"image"}
    assert argo.chart_values(application)["tokens"] == common["tokens"] | own["tokens"]
    assert properties.keys() & argo.chart_values(application).keys() == {"image"}


@pytest.mark.parametrize("service", SERVICES)
def test_no_value_of_a_chart_has_the_name_of_a_release_field(service: str) -> None:
    properties = yaml.safe_load(SCHEMA.read_text())["properties"].keys() | {"path"}
    known = yaml.safe_load((ROOT / f"helm/{service}/values.schema.json").read_text())["properties"].keys()

    assert properties & known == {"image"}


def test_the_values_of_a_service_win_over_the_common_ones(repository: Path) -> None:
    files = argo.values_files(repository)
    files["gitops/envs/dev/releases/user-service.yaml"] = yaml.safe_load(
        (shop.RELEASES / "user-service.yaml").read_text()
    )
    files["gitops/envs/dev/values/common.yaml"] |= {"replicas": 3, "a": {"b": 1, "c": True}}
    files["gitops/envs/dev/values/user-service.yaml"] |= {"replicas": 1, "a": {"c": False}, "image": {"tag": "no"}}

    (application,) = argo.applications(named(repository, "ApplicationSet", "dev"), files)

    merged = argo.chart_values(application)
    assert (merged["replicas"], merged["a"]) == (1, {"b": 1, "c": False})
    assert merged["image"]["tag"] == "sha-0123456789ab"


def test_two_revisions_of_one_repository_are_refused(repository: Path) -> None:
    application = copy.deepcopy(shop.applications(repository, "dev")[0])
    source = application["spec"].pop("source")
    application["spec"]["sources"] = [source, {**source, "targetRevision": "main", "ref": "values"}]

    with pytest.raises(rendering.Refused, match="different revision of the same repository"):
        argo.render(application, repository)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_service_has_values_in_every_environment(repository: Path, env: str) -> None:
    # A service without a file would have no Application, without an error.
    found = {path.name for path in (repository / f"gitops/envs/{env}/values").iterdir()}

    assert found == {"common.yaml", *(f"{service}.yaml" for service in SERVICES)}


def test_a_release_file_without_a_digest_makes_no_application(repository: Path) -> None:
    release = yaml.safe_load((shop.RELEASES / "user-service.yaml").read_text())
    del release["image"]["digest"]

    with pytest.raises(KeyError, match="digest"):
        list(
            argo.applications(
                named(repository, "ApplicationSet", "dev"),
                argo.values_files(repository) | {"gitops/envs/dev/releases/x.yaml": release},
            )
        )


@pytest.mark.parametrize("service", SERVICES)
def test_the_example_releases_are_of_the_form_that_the_pipeline_writes(service: str) -> None:
    release = yaml.safe_load((shop.RELEASES / f"{service}.yaml").read_text())

    jsonschema_rs.validate(yaml.safe_load(SCHEMA.read_text()), release)


def test_every_recorded_release_renders(repository: Path) -> None:
    recorded = {
        str(file.relative_to(ROOT)): yaml.safe_load(file.read_text())
        for file in ROOT.glob("gitops/envs/*/releases/*.yaml")
    }
    files = argo.values_files(ROOT) | recorded

    made = [
        application
        for appset in argo.of_kind(argo.bootstrap(repository), "ApplicationSet")
        for application in argo.applications(appset, files)
    ]

    assert len(made) == len(recorded) <= 6
    assert all("kind: Deployment" in argo.render(application, repository) for application in made)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_project_admits_all_that_its_applications_render(repository: Path, env: str) -> None:
    project = named(repository, "AppProject", env)
    for application in shop.applications(repository, env):
        assert list(argo.refusals(project, application, rendering.docs(argo.render(application, repository)))) == []
    for variant in ("gateway", "external", "monitoring", "scaled"):
        for found in shop.of_variant(repository, variant).docs.values():
            moved = [
                doc | {"metadata": {"namespace": f"b2c-{env}"}} for doc in found if doc["kind"] not in PLAIN_HELM_ONLY
            ]
            assert list(argo.refusals(project, application, moved)) == []


PLANTED = {
    "ClusterRole": (
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"},
        "kind rbac.authorization.k8s.io/ClusterRole",
    ),
    "Secret": ({"apiVersion": "v1", "kind": "Secret"}, "kind /Secret"),
    "Role": ({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}, "kind rbac.authorization.k8s.io/Role"),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_the_project_refuses_a_planted(repository: Path, kind: str) -> None:
    application = shop.applications(repository, "prod")[0]
    doc, expected = PLANTED[kind]
    planted = doc | {"metadata": {"name": "planted", "namespace": "b2c-prod"}}

    assert list(argo.refusals(named(repository, "AppProject", "prod"), application, [planted])) == [expected]


def test_the_project_refuses_another_repository_and_another_namespace(repository: Path) -> None:
    application = copy.deepcopy(shop.applications(repository, "dev")[0])
    application["spec"]["source"]["repoURL"] = "https://github.com/somebody/else.git"
    application["spec"]["destination"]["namespace"] = "b2c-prod"

    refused = list(argo.refusals(named(repository, "AppProject", "dev"), application, []))

    assert [refusal.split()[0] for refusal in refused] == ["repository", "destination"]


@pytest.mark.parametrize(("env", "prune"), [("dev", True), ("stage", True), ("prod", False)])
def test_syncing_heals_itself_and_never_prunes_production(repository: Path, env: str, prune: bool) -> None:
    for application in shop.applications(repository, env):
        policy = application["spec"]["syncPolicy"]
        assert policy["automated"] == {"prune": prune, "selfHeal": True}
        assert policy["retry"]["limit"] == 2
        assert "ServerSideApply=true" in policy["syncOptions"]
        options = application["metadata"]["annotations"]["argocd.argoproj.io/compare-options"]
        assert options == "ServerSideDiff=true"
        assert not [option for option in policy["syncOptions"] if option.startswith(("Replace", "Force"))]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_deleting_in_git_or_in_argo_cd_leaves_the_shop_running(repository: Path, env: str) -> None:
    appset = named(repository, "ApplicationSet", env)
    namespace = named(repository, "Namespace", env)
    root = yaml.safe_load((repository / "gitops/root.yaml").read_text())

    assert appset["spec"]["syncPolicy"] == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}
    assert appset["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
    for protected in (appset, namespace):
        assert protected["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
    assert root["spec"]["syncPolicy"]["automated"]["prune"] is False
    assert "finalizers" not in root["metadata"]


def test_namespaces_and_projects_come_before_what_needs_them(repository: Path) -> None:
    def waves(kind: str) -> set[int]:
        found = argo.of_kind(argo.bootstrap(repository), kind)
        assert len(found) == 3
        return {int(doc["metadata"]["annotations"].get("argocd.argoproj.io/sync-wave", "0")) for doc in found}

    assert max(waves("Namespace")) < min(waves("AppProject") | waves("ResourceQuota") | waves("LimitRange"))
    assert max(waves("AppProject")) < min(waves("ApplicationSet"))


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_namespaces_are_restricted_and_their_quota_fits_full_scale(repository: Path, env: str) -> None:
    labels = named(repository, "Namespace", env)["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}

    (quota,) = (
        doc["spec"]["hard"]
        for doc in argo.of_kind(argo.bootstrap(repository), "ResourceQuota")
        if doc["metadata"]["namespace"] == f"b2c-{env}"
    )
    databases = (
        list(yaml.safe_load_all((repository / "gitops/envs/dev/database.yaml").read_text())) if env == "dev" else []
    )
    needed = {"pods": 0.0, "requests.cpu": 0.0, "requests.memory": 0.0, "limits.memory": 0.0}
    for count, resources in [
        *_largest(shop.of_environment(repository, env)),
        *((1, db["spec"]["resources"]) for db in databases),
    ]:
        needed["pods"] += count
        for name in ("requests.cpu", "requests.memory", "limits.memory"):
            group, unit = name.split(".")
            needed[name] += count * _amount(resources[group][unit])
    for name, amount in needed.items():
        assert amount <= _amount(quota[name]), name


def _largest(found: shop.Shop) -> list[tuple[int, Doc]]:
    """Return the largest number of pods per service with their resources: replicas, one in an upgrade, a migration."""
    most = []
    for service in SERVICES:
        scalers = found.of(service, "HorizontalPodAutoscaler")
        replicas = (
            scalers[0]["spec"]["maxReplicas"] if scalers else found.the(service, "Deployment")["spec"]["replicas"]
        )
        most.append((replicas + 2, found.server(service)["resources"]))
    return most


def _amount(quantity: str) -> float:
    units = {"m": 0.001, "Mi": 2**20, "Gi": 2**30}
    for suffix, factor in units.items():
        if quantity.endswith(suffix):
            return float(quantity.removesuffix(suffix)) * factor
    return float(quantity)


def owners(root: Path) -> set[str]:
    """Return every repository address and image registry in the charts and gitops/."""
    found = argo.bootstrap(root)
    named = {yaml.safe_load((root / "gitops/root.yaml").read_text())["spec"]["source"]["repoURL"]}
    named |= {
        repository for project in argo.of_kind(found, "AppProject") for repository in project["spec"]["sourceRepos"]
    }
    for appset in argo.of_kind(found, "ApplicationSet"):
        named |= {git["repoURL"] for generator in appset["spec"]["generators"] for git in git_generators(generator)}
        named |= {source["repoURL"] for source in argo.sources(appset["spec"]["template"])}
    return named | {yaml.safe_load((root / "helm/b2c-common/values.yaml").read_text())["imageRegistry"]}


def test_alert_of_a_long_sync_covers_all_environments_with_a_runbook(repository: Path) -> None:
    rule = yaml.safe_load((repository / "gitops/alerts.yaml").read_text())
    (alert,) = (each for group in rule["spec"]["groups"] for each in group["rules"] if each["alert"] == "SyncTakesLong")
    labels = dict(re.findall(r'(\w+)=~?"([^"]+)"', alert["expr"]))

    assert alert["expr"].startswith("max by (name) (argocd_app_info{")
    assert labels["operation"] == "sync"
    for application in every_application(repository):
        assert re.fullmatch(labels["dest_namespace"], application["spec"]["destination"]["namespace"])
    assert (
        f"## {alert['annotations']['runbook'].partition(', ')[2].strip(chr(34))}\n"
        in (repository / "docs/runbooks/rollback.md").read_text()
    )


def git_generators(generator: Doc) -> list[Doc]:
    nested = generator.get("matrix", {}).get("generators", [])
    return [generator["git"]] if "git" in generator else [git for each in nested for git in git_generators(each)]


def test_everything_names_the_same_repository_and_owner(repository: Path) -> None:
    policy = yaml.safe_load((repository / fork.POLICY).read_text())

    assert owners(repository) == {
        f"https://github.com/{policy['owner']}/{policy['repo']}.git", f"{policy['registry']}/{policy['owner']}".lower(),
    }  # fmt: skip


def test_a_fork_is_one_command_and_can_be_undone(workshop: Path) -> None:
    before = {place: (workshop / place).read_text() for place, _ in fork.PLACES}
    policy = yaml.safe_load(before[fork.POLICY])

    fork.rename(workshop, "somebody", "a-shop")

    assert owners(workshop) == {"https://github.com/somebody/a-shop.git", f"{policy['registry']}/somebody"}
    assert yaml.safe_load((workshop / fork.POLICY).read_text()) == policy | {"owner": "somebody", "repo": "a-shop"}
    assert f"@{policy['owner']}/" not in (workshop / ".github/CODEOWNERS").read_text()
    fork.rename(workshop, policy["owner"], policy["repo"])
    assert {place: (workshop / place).read_text() for place in before} == before


@pytest.mark.parametrize("owner", ["AcmeCorp", "acme_corp", "0123", "on", "1e5"])
def test_fork_keeps_capitals_and_writes_image_names_without(workshop: Path, owner: str) -> None:
    before = {place: (workshop / place).read_text() for place, _ in fork.PLACES}
    policy = yaml.safe_load(before[fork.POLICY])
    fork.rename(workshop, owner, "Web.Shop")

    assert yaml.safe_load((workshop / fork.POLICY).read_text()) == policy | {"owner": owner, "repo": "Web.Shop"}
    assert (
        f"repoURL: &repository https://github.com/{owner}/Web.Shop.git\n" in (workshop / "gitops/root.yaml").read_text()
    )
    assert f"imageRegistry: ghcr.io/{owner.lower()}\n" in (workshop / "helm/b2c-common/values.yaml").read_text()
    assert f"@{owner}/" in (workshop / ".github/CODEOWNERS").read_text()
    fork.rename(workshop, policy["owner"], policy["repo"])
    assert {place: (workshop / place).read_text() for place in before} == before


@pytest.mark.parametrize(("owner", "repo"), [("", "shop"), ("Some Body", "shop"), ("a/b", "shop"), ("me", "")])
def test_fork_with_an_invalid_name_changes_nothing(workshop: Path, owner: str, repo: str) -> None:
    before = owners(workshop)

    with pytest.raises(SystemExit, match="OWNER"):
        fork.rename(workshop, owner, repo)

    argo.bootstrap.cache_clear()
    assert owners(workshop) == before


def test_a_fork_of_files_that_disagree_changes_nothing(workshop: Path) -> None:
    root = workshop / "gitops/root.yaml"
    root.write_text(root.read_text().replace("https://github.com/", "https://github.com/not-"))
    policy = (workshop / fork.POLICY).read_text()

    with pytest.raises(SystemExit, match=r"gitops/root\.yaml should hold this"):
        fork.rename(workshop, "somebody", "a-shop")

    assert (workshop / fork.POLICY).read_text() == policy


@cache
def validator(kind: str) -> Any:
    """Return Argo CD's schema of a kind without additional properties: a cluster would drop them silently."""
    crd = yaml.load((CRDS / f"{kind.lower()}-crd.yaml").read_text(), Loader=yaml.CSafeLoader)
    return jsonschema_rs.validator_for(_closed(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and not node.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


needs_crds = pytest.mark.skipif(
    not CRDS.is_dir(), reason=f"Argo CD's schemas are not beside the repository ({CRDS.name})"
)


@needs_crds
def test_argo_cd_accepts_everything(repository: Path) -> None:
    root = yaml.safe_load((repository / "gitops/root.yaml").read_text())
    found = [doc for doc in argo.bootstrap(repository) if doc["apiVersion"].startswith("argoproj.io")]

    for doc in [root, *found, *every_application(repository)]:
        validator(doc["kind"]).validate(doc)


@needs_crds
def test_argo_cd_would_not_accept_an_unknown_key(repository: Path) -> None:
    application = copy.deepcopy(every_application(repository)[0])
    application["spec"]["syncPolicy"]["automated"]["selfheal"] = True

    with pytest.raises(jsonschema_rs.ValidationError, match="selfheal"):
        validator("Application").validate(application)


APPSETS = "gitops/bootstrap/templates/applicationsets.yaml"
PROJECTS = "gitops/bootstrap/templates/projects.yaml"
NAMESPACES = "gitops/bootstrap/templates/namespaces.yaml"
VALUES = "gitops/bootstrap/values.yaml"
fences = test_six_applications_each_in_its_project_and_namespace
release = test_an_application_runs_the_chart_and_the_image_of_its_release
plain_values = test_a_chart_gets_its_values_and_no_field_of_the_release
winners = test_the_values_of_a_service_win_over_the_common_ones
owner = test_everything_names_the_same_repository_and_owner
order = test_namespaces_and_projects_come_before_what_needs_them
strangers = test_the_project_refuses_another_repository_and_another_namespace
syncs_dev = partial(test_syncing_heals_itself_and_never_prunes_production, env="dev", prune=True)
syncs_prod = partial(test_syncing_heals_itself_and_never_prunes_production, env="prod", prune=False)
deletion = partial(test_deleting_in_git_or_in_argo_cd_leaves_the_shop_running, env="prod")
admission = partial(test_the_project_admits_all_that_its_applications_render, env="dev")
cluster_roles = partial(test_the_project_refuses_a_planted, kind="ClusterRole")
namespace_dev = partial(test_namespaces_are_restricted_and_their_quota_fits_full_scale, env="dev")
namespace_prod = partial(test_namespaces_are_restricted_and_their_quota_fits_full_scale, env="prod")

# (defect, file, original text, planted text, test that must fail)
DEFECTS = [
    ("production is missing", VALUES, "  prod:", "  production:", fences),
    ("every Application is in the default project", APPSETS, "project: b2c-{{ $env }}", "project: default", fences),
    ("the release file chooses the project", APPSETS,
     "project: b2c-{{ $env }}", "project: {{`'{{ .project }}'`}}", fences),
    ("all environments share a namespace", APPSETS, "namespace: b2c-{{ $env }}", "namespace: b2c", fences),
    ("the chart comes from the tip of main", APPSETS,
     "targetRevision: {{`'{{ .chartRevision }}'`}}", "targetRevision: main", release),
    ("the children track another fork", APPSETS, "repoURL: {{ $.Values.repository }}\n        targetRevision",
     "repoURL: https://github.com/another/b2c-shop.git\n        targetRevision", owner),
    ("images of another owner", "helm/b2c-common/values.yaml", "imageRegistry: ", "imageRegistry: not-", owner),
    ("production prunes", VALUES, "prune: false", "prune: true", syncs_prod),
    ("nothing heals itself", APPSETS, "          selfHeal: true\n", "", syncs_dev),
    ("the defaults of the API server are drift", APPSETS, "ServerSideDiff=true", "ServerSideDiff=false", syncs_dev),
    ("a bad release is tried for long", APPSETS, "          limit: 2\n", "          limit: 5\n", syncs_dev),
    ("a field of the release reaches the chart", APPSETS, '"inputs" ', "", plain_values),
    ("the values of a service are not read", APPSETS, "{{`{{ .service }}.yaml`}}", "common.yaml", winners),
    ("a failed sync is not tried again", APPSETS, "          limit: 2\n", "          limit: 0\n", syncs_dev),
    ("resources are replaced", APPSETS,
     "- ServerSideApply=true", "- ServerSideApply=true\n          - Replace=true", syncs_dev),
    ("a deleted ApplicationSet takes the shop along", APPSETS,
     "finalizers: [resources-finalizer.argocd.argoproj.io]", "finalizers: []", deletion),
    ("a deleted release file deletes its Application", APPSETS, "create-update\n    ", "sync\n    ", deletion),
    ("a deleted namespace takes the shop along", NAMESPACES, "Prune=false,Delete=false", "Prune=true", deletion),
    ("a project admits ClusterRoles", PROJECTS, "clusterResourceWhitelist: []",
     "clusterResourceWhitelist: [{group: rbac.authorization.k8s.io, kind: ClusterRole}]", cluster_roles),
    ("a project admits any repository", PROJECTS,
     "sourceRepos: [", "sourceRepos: [https://github.com/somebody/else.git, ", strangers),
    ("a project lacks a kind", VALUES, "batch: [Job]", "batch: [CronJob]", admission),
    ("the quota is too small", VALUES, 'pods: "40"', 'pods: "20"', namespace_prod),
    ("a namespace without pod security", NAMESPACES, "enforce: restricted", "enforce: privileged", namespace_dev),
    ("projects come after what needs them", PROJECTS, 'sync-wave: "-1"', 'sync-wave: "1"', order),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "stands", "planted", "check"), [row[1:] for row in DEFECTS], ids=[row[0] for row in DEFECTS]
)
def test_planted_defect_is_found(
    workshop: Path, file: str, stands: str, planted: str, check: Callable[[Path], None]
) -> None:
    content = (workshop / file).read_text()
    assert stands in content
    (workshop / file).write_text(content.replace(stands, planted, 1))
    rendering.vendor_library(workshop / "helm")

    with pytest.raises((AssertionError, KeyError, ValueError)):
        check(workshop)
