"""A model of the parts of Argo CD that gitops/ uses."""

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
OMISSION = re.compile(r'omit \.((?: "\w+")+) \| toYaml')


@cache
def bootstrap(root: Path) -> list[Doc]:
    """Render the manifests that gitops/root.yaml applies."""
    source = yaml.safe_load((root / "gitops/root.yaml").read_text())["spec"]["source"]
    chart = root / source["path"]
    return rendering.docs(rendering.text(chart, rendering.values(source["helm"]["valuesObject"]), namespace="argocd"))


def of_kind(found: list[Doc], kind: str) -> list[Doc]:
    return [doc for doc in found if doc["kind"] == kind]


def values_files(root: Path) -> dict[str, Doc]:
    """Return the environments' values by path."""
    found = root.glob("gitops/envs/*/values/*.yaml")
    return {str(file.relative_to(root)): yaml.safe_load(file.read_text()) for file in found}


def applications(appset: Doc, files: dict[str, Doc]) -> Iterator[Doc]:
    """Expand one ApplicationSet over its generators and the files of the repository."""
    for generator in appset["spec"]["generators"]:
        for parameters in _parameters(generator, files, {}):
            filled = _fill(appset["spec"]["template"], parameters)
            yield {"apiVersion": appset["apiVersion"], "kind": "Application", **filled}


def _parameters(generator: Doc, files: dict[str, Doc], known: Doc) -> list[Doc]:
    """Return a generator's parameters; in a matrix the second may use those of the first, which take precedence."""
    if "matrix" in generator:
        first, second = generator["matrix"]["generators"]
        return [
            _merged(found, winner)
            for winner in _parameters(first, files, known)
            for found in _parameters(second, files, winner)
        ]
    patterns = [_fill(file["path"], known) for file in generator["git"]["files"]]
    return [
        content | {"path": {"path": path}}
        for path, content in sorted(files.items())
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
    ]


def _merged(under: Doc, over: Doc) -> Doc:
    """Merge maps key by key; other values of `over` replace those of `under`, also empty, zero or false ones."""
    both = {key: _merged(under[key], over[key]) for key in under.keys() & over.keys() if _are_maps(under, over, key)}
    return under | over | both


def _are_maps(under: Doc, over: Doc, key: str) -> bool:
    return isinstance(under[key], dict) and isinstance(over[key], dict)


def _fill(node: Any, parameters: Doc) -> Any:
    """Replace `{{ .a.b }}` by parameters; an unknown name is an error, as with missingkey=error."""
    if isinstance(node, dict):
        return {key: _fill(value, parameters) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(item, parameters) for item in node]
    if not isinstance(node, str):
        return node
    return EXPRESSION.sub(lambda match: _evaluate(match[1].strip(), parameters), node)


def _evaluate(expression: str, parameters: Doc) -> str:
    if omission := OMISSION.fullmatch(expression):
        omitted = re.findall(r"\w+", omission[1])
        return yaml.safe_dump({key: value for key, value in parameters.items() if key not in omitted})
    return str(_look_up(expression, parameters))


def _look_up(expression: str, parameters: Doc) -> Any:
    names = re.fullmatch(r"\.(\w+(?:\.\w+)*)", expression)
    assert names, f"the expander knows no {expression}"
    for name in names[1].split("."):
        parameters = parameters[name]
    return parameters


def sources(application: Doc) -> list[Doc]:
    """Return an Application's sources; refuse two revisions of one repository, as Argo CD does."""
    spec = application["spec"]
    found: list[Doc] = spec.get("sources") or [spec["source"]]
    revisions = {(source["repoURL"], source["targetRevision"]) for source in found}
    if len(revisions) > len({repository for repository, _ in revisions}):
        raise rendering.Refused("cannot reference a different revision of the same repository")
    return found


def chart_values(application: Doc) -> Doc:
    """Return the values of an Application's chart."""
    (source,) = sources(application)
    return dict(yaml.safe_load(source["helm"]["values"]))


def render(application: Doc, root: Path, helm: str = "helm4", kube: str = "1.36") -> str:
    """Render an Application's chart as Argo CD's repo-server does."""
    (source,) = sources(application)
    values = rendering.values(chart_values(application))
    namespace = application["spec"]["destination"]["namespace"]
    return rendering.text(root / source["path"], values, helm=helm, kube=kube, namespace=namespace)


CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PersistentVolume"}


def refusals(project: Doc, application: Doc, found: list[Doc]) -> Iterator[str]:
    """Return the reasons why an AppProject refuses an Application or its manifests."""
    spec = project["spec"]
    for source in sources(application):
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
