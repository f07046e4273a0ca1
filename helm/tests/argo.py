"""What Argo CD would do with gitops/, without Argo CD: the parts of its rules that this repository leans on."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import rendering
import yaml
from rendering import Doc

EXPRESSION = re.compile(r"{{(.*?)}}")


@cache
def bootstrap(root: Path) -> list[Doc]:
    """Render what gitops/root.yaml makes Argo CD apply."""
    source = yaml.safe_load((root / "gitops/root.yaml").read_text())["spec"]["source"]
    chart = root / source["path"]
    return rendering.docs(rendering.text(chart, rendering.values(source["helm"]["valuesObject"]), namespace="argocd"))


def of_kind(found: list[Doc], kind: str) -> list[Doc]:
    return [doc for doc in found if doc["kind"] == kind]


def applications(appset: Doc, files: dict[str, Doc]) -> Iterator[Doc]:
    """Expand one ApplicationSet over the git files generator: one Application per matching file."""
    for generator in appset["spec"]["generators"]:
        for pattern in generator["git"]["files"]:
            for path, content in sorted(files.items()):
                if fnmatch.fnmatchcase(path, pattern["path"]):
                    filled = _fill(appset["spec"]["template"], content)
                    yield {"apiVersion": appset["apiVersion"], "kind": "Application", **filled}


def _fill(node: Any, parameters: Doc) -> Any:
    """Fill in `{{ .a.b }}`; as with missingkey=error, a name that the file lacks is an error."""
    if isinstance(node, dict):
        return {key: _fill(value, parameters) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(item, parameters) for item in node]
    if not isinstance(node, str):
        return node
    return EXPRESSION.sub(lambda match: str(_look_up(match[1].strip(), parameters)), node)


def _look_up(expression: str, parameters: Doc) -> Any:
    names = re.fullmatch(r"\.(\w+(?:\.\w+)*)", expression)
    assert names, f"the expander knows no {expression}"
    for name in names[1].split("."):
        parameters = parameters[name]
    return parameters


def render(application: Doc, root: Path, helm: str = "helm4", kube: str = "1.36") -> str:
    """Render an Application's chart as the repository server does: values files, then valuesObject."""
    chart, values = application["spec"]["sources"]
    assert values["ref"] == "values"
    files = [root / file.removeprefix("$values/") for file in chart["helm"]["valueFiles"]]
    last = rendering.values(chart["helm"]["valuesObject"])
    namespace = application["spec"]["destination"]["namespace"]
    return rendering.text(root / chart["path"], *files, last, helm=helm, kube=kube, namespace=namespace)


CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PersistentVolume"}


def refusals(project: Doc, application: Doc, found: list[Doc]) -> Iterator[str]:
    """Say what an AppProject does not admit of an Application and of what it renders."""
    spec = project["spec"]
    for source in application["spec"]["sources"]:
        if source["repoURL"] not in spec["sourceRepos"]:
            yield f"repository {source['repoURL']}"
    if application["spec"]["destination"] not in spec["destinations"]:
        yield f"destination {application['spec']['destination']}"
    for doc in found:
        group = doc["apiVersion"].rpartition("/")[0]
        listed = "clusterResourceWhitelist" if doc["kind"] in CLUSTER_WIDE else "namespaceResourceWhitelist"
        if {"group": group, "kind": doc["kind"]} not in spec[listed]:
            yield f"kind {group}/{doc['kind']}"
        if doc["metadata"].get("namespace") != application["spec"]["destination"]["namespace"]:
            yield f"{doc['kind']} {doc['metadata']['name']} outside its namespace"
