"""Manifests, values, commands and links in documents are correct."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import argo
import kubernetes_validate
import pytest
import rendering
import shop
import yaml
from rendering import ROOT, SERVICES

from charts import documents, kubetools

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "helm/README.md", "gitops/README.md")),
    *sorted((ROOT / "docs/runbooks").glob("*.md")),
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OF = re.compile(r"# values of (both|user-service|order-service)\n")


def blocks(*languages: str) -> list[tuple[str, str]]:
    return [
        (f"{document.name}: {body.splitlines()[1][:50] if len(body.splitlines()) > 1 else body}", body)
        for document in DOCUMENTS
        for language, body in BLOCK.findall(document.read_text())
        if language in languages
    ]


def accept(repository: Path, body: str) -> None:
    """Render the charts with the values of a document, which names the service."""
    said = OF.match(body)
    assert said, "say first whose values these are: # values of both, user-service or order-service"
    # Values that the reader must add: a database, and signing keys.
    base = rendering.values(rendering.MINIMAL)
    for service in SERVICES if said[1] == "both" else (said[1],):
        rendering.text(repository / "helm" / service, base, rendering.values(yaml.safe_load(body)))


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in blocks("yaml")])
def test_values_in_a_document_are_right(repository: Path, body: str) -> None:
    accept(repository, body)


def test_wrong_values_in_a_document_are_seen(repository: Path) -> None:
    with pytest.raises(rendering.Refused, match="replicaCount"):
        accept(repository, "# values of both\nreplicaCount: 3\n")


TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def problems(document: Path) -> Iterator[str]:
    """Return missing make targets, links and files of a document, and invalid shell blocks."""
    text = document.read_text()
    for target in re.findall(r"(?:^|`)make ([a-z0-9-]+)", text, re.MULTILINE):
        if target not in TARGETS:
            yield f"make {target}"
    for link in re.findall(r"\]\(([^)#]+)", text):
        if not (document.parent / link).exists():
            yield f"link {link}"
    for path in re.findall(r"(?:gitops|helm|docs)/[\w./<>-]*\w", text):
        # The pipeline writes the release files; a new shop has none.
        if "/releases" not in path and not list(ROOT.glob(re.sub("<[a-z]+>", "*", path))):
            yield f"path {path}"
    for body in [body for language, body in BLOCK.findall(text) if language == "sh"]:
        yield from subprocess.run(
            ["bash", "-n"], input=body, capture_output=True, text=True, check=False
        ).stderr.splitlines()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_names_in_a_document_exist(document: Path) -> None:
    assert list(problems(document)) == []


def test_missing_name_in_a_document_is_found(tmp_path: Path) -> None:
    document = tmp_path / "wrong.md"
    document.write_text("Say `make nothing`, see [it](nowhere.md) or helm/nowhere.yaml.\n\n```sh\nfor do\n```\n")

    found = list(problems(document))

    assert found[:3] == ["make nothing", "link nowhere.md", "path helm/nowhere.yaml"]
    assert "syntax error" in found[3]


@pytest.mark.parametrize("service", SERVICES)
def test_operations_lists_the_paths_of_the_one_host(service: str) -> None:
    (row,) = re.findall(rf"^\| {service} \| (.*/.*) \|$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    exposed = yaml.safe_load((ROOT / "helm" / service / "values.yaml").read_text())["expose"]

    assert re.findall(r"`(/.*?)`", row) == [*exposed.get("exactPaths", ()), *exposed["paths"]]


# Prints the builds, and renders the installed manifests.
OFFLINE = """
docker() { echo "# built: $3"; }
kind() { :; }
kubectl() { :; }
helm() { [ "$1" != install ] || helm4 template "${@:2}"; }
"""


def test_the_commands_of_the_helm_readme_build_and_install_both_services(repository: Path) -> None:
    (install,) = (body for _, body in blocks("sh") if "helm install" in body)

    done = subprocess.run(
        ["bash", "-euc", OFFLINE + install],
        env={"PATH": f"{rendering.TOOLS}:/bin:/usr/bin", "HOME": str(repository)},
        cwd=repository, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    built = re.findall(r"^# built: (\S+)$", done, re.MULTILINE)
    assert [image.partition(":")[0] for image in built] == [*SERVICES]
    deployed = [doc for doc in rendering.docs(done) if doc["kind"] == "Deployment"]
    images = [doc["spec"]["template"]["spec"]["containers"][0]["image"] for doc in deployed]
    assert images == [image for image in built for _ in ("server", "worker")]


def test_the_runbook_makes_the_secrets_that_the_shop_reads(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    runbook = (ROOT / "docs/runbooks/first-cluster.md").read_text()
    commands = re.findall(r"kubectl -n \S+ create secret generic(?:[^\n]*\\\n)*[^\n]*", runbook)
    offline = " --dry-run=client -o yaml; echo ---\n".join([*commands, ""])

    passwords = (
        "USER_PASSWORD",
        "USER_OWNER_PASSWORD",
        "ORDER_PASSWORD",
        "ORDER_OWNER_PASSWORD",
        "STORE_PASSWORD",
        "MAIL_PASSWORD",
    )
    environment = dict.fromkeys(("NS", "DB", "TLS", *passwords), "x")
    made = subprocess.run(
        ["bash", "-euc", f"openssl() {{ echo random; }}\n{offline}"],
        env=environment | {"PATH": f"{rendering.TOOLS}:/bin:/usr/bin"},
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    secrets = {doc["metadata"]["name"]: set(doc["data"]) for doc in rendering.docs(made)}
    assert secrets == shop.operator_secrets(ROOT, "prod")
    assert len(secrets) == 7


def test_the_runbook_syncs_again_with_the_options_of_every_sync(repository: Path) -> None:
    (command,) = (body for _, body in blocks("sh") if '"operation"' in body)
    (asked,) = re.findall(r"-p '(.*)'", command)

    options = json.loads(asked)["operation"]["sync"]["syncOptions"]

    for appset in argo.of_kind(argo.bootstrap(repository), "ApplicationSet"):
        assert options == appset["spec"]["template"]["spec"]["syncPolicy"]["syncOptions"]


def test_the_runbook_retires_keys_that_it_has_fetched() -> None:
    blocks_of_keys = [body for _, body in blocks("sh") if re.search(r"^keys (rotate|retire)", body, re.MULTILINE)]

    assert len(blocks_of_keys) == 3
    for body in blocks_of_keys:
        fetched, _, used = body.partition("| base64 -d > keys.json\n")
        assert "get secret user-service-token-keys" in fetched
        assert "< keys.json" in used


def test_kubetools_put_there_by_hand_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(SystemExit, match="by hand"):
        kubetools.fetch(tmp_path)

    for name in ("helm3", "helm4", "kubectl"):
        (tmp_path / name).write_text(name)
    kubetools.fetch(tmp_path)

    assert (tmp_path / "kubectl").read_text() == "kubectl"


def test_the_databases_of_dev_are_where_the_values_look(repository: Path) -> None:
    clusters = list(yaml.safe_load_all((ROOT / "gitops/envs/dev/database.yaml").read_text()))

    assert [cluster["metadata"] for cluster in clusters] == [
        {"name": f"{service}-db", "namespace": "b2c-dev"} for service in SERVICES
    ]
    for service in SERVICES:
        values = yaml.safe_load((ROOT / f"gitops/envs/dev/values/{service}.yaml").read_text())
        assert values["database"] == {"existingSecret": f"{service}-db-app", "key": "uri"}
        assert values["networkPolicy"]["database"]["to"] == [
            {"podSelector": {"matchLabels": {"cnpg.io/cluster": f"{service}-db"}}}
        ]


def test_the_plain_manifests_of_bootstrap_are_valid(repository: Path) -> None:
    golden = (Path(__file__).parent / "golden/bootstrap.yaml").read_text()
    plain = [doc for doc in rendering.docs(golden) if not doc["apiVersion"].startswith("argoproj.io")]

    assert len(plain) == 9
    for doc in plain:
        kubernetes_validate.validate(doc, "1.36", strict=True)


def test_generated_files_are_current_and_a_stale_one_is_seen(workshop: Path) -> None:
    readme = workshop / "helm/user-service/README.md"
    assert documents.stale(workshop / "helm") == []

    readme.write_text(readme.read_text() + "edited by hand\n")

    assert documents.stale(workshop / "helm") == [readme]
