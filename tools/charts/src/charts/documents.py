"""Generate each chart's values.schema.json and README.md from helm/values.schema.yaml and its values.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from charts import ROOT

HELM = ROOT / "helm"
SERVICES = ("user-service", "order-service")
Node = dict[str, Any]


def outputs(helm: Path) -> dict[Path, str]:
    """Return the expected content of each generated file below `helm`."""
    source = yaml.safe_load((helm / "values.schema.yaml").read_text())
    contents: dict[Path, str] = {}
    for service in SERVICES:
        schema = _expand(source, source["definitions"], service)
        del schema["definitions"]
        contents[helm / service / "values.schema.json"] = json.dumps(schema, indent=2) + "\n"
        contents[helm / service / "README.md"] = _readme(service, schema, helm / service)
    return contents


def write(helm: Path = HELM) -> None:
    for file, content in outputs(helm).items():
        file.write_text(content)


def stale(helm: Path = HELM) -> list[Path]:
    """Return the generated files that are missing or outdated."""
    return [file for file, content in outputs(helm).items() if not file.exists() or file.read_text() != content]


def _expand(node: Any, definitions: Node, service: str) -> Any:
    """Inline definitions, forbid additional properties, and keep only what belongs to the service.

    Helm 3 supports JSON Schema draft 7 only, which ignores all keys beside a $ref; so every $ref is replaced.
    """
    if isinstance(node, list):
        return [_expand(item, definitions, service) for item in node if _belongs(item, service)]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = {**definitions[node["$ref"].rpartition("/")[2]], **node}
    node = {**node, **node.get("x-by-service", {}).get(service, {})}
    closed = {"additionalProperties": False} if node.get("type") == "object" and "properties" in node else {}
    members = {key: value for key, value in node.items() if key not in {"$ref", "x-by-service", "x-only"}}
    return closed | {
        key: _expand(value, definitions, service) for key, value in members.items() if _belongs(value, service)
    }


def _belongs(node: Any, service: str) -> bool:
    return not isinstance(node, dict) or node.get("x-only", service) == service


def _readme(service: str, schema: Node, chart: Path) -> str:
    about = yaml.safe_load((chart / "Chart.yaml").read_text())["description"]
    defaults = yaml.safe_load((chart / "values.yaml").read_text())
    rows = "\n".join(_rows(schema, defaults))
    return f"""# {service}

{about}. How to install it, and what it makes: [helm/README.md](../README.md).

Made by `make charts` from `helm/values.schema.yaml` and `values.yaml`: do not edit.

| value | default | accepts | meaning |
|---|---|---|---|
{rows}
"""


def _rows(schema: Node, defaults: Any, prefix: str = "") -> Iterator[str]:
    for name, node in schema["properties"].items():
        default = defaults.get(name) if isinstance(defaults, dict) else None
        if node.get("type") == "object" and "properties" in node:
            yield f"| **`{prefix}{name}`** | | | {node['description']} |"
            yield from _rows(node, default, f"{prefix}{name}.")
        else:
            shown = "" if default is None else f"`{json.dumps(default)}`"
            yield f"| `{prefix}{name}` | {shown} | {_accepts(node)} | {node.get('description', '')} |"


def _accepts(node: Node) -> str:
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{choice}`" for choice in node["enum"])
    kind = " or ".join(node["type"]) if isinstance(node["type"], list) else str(node["type"])
    limits = [str(node[bound]) for bound in ("minimum", "maximum") if bound in node]
    return f"{kind} {' to '.join(limits)}" if len(limits) > 1 else kind
