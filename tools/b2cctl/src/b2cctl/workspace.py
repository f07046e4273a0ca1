"""Find and digest the files that go into an image or a chart."""

import hashlib
import posixpath
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from b2cctl.git import Refused, encode

Tree = Mapping[str, str]
Read = Callable[[str], str]
NOT_SHIPPED = ("tests", "docs")


def parse(read: Read, path: str) -> dict[str, Any]:
    """Parse a TOML or YAML file of named values; refuse anything else by its path."""
    try:
        found = tomllib.loads(read(path)) if path.endswith(".toml") else yaml.safe_load(read(path))
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise Refused(f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise Refused(f"{path} should hold named values")
    return found


def projects(tree: Tree, kind: str) -> list[str]:
    """Return the projects of a kind (libs, services): its folders with a pyproject.toml."""
    parts = (path.split("/") for path in tree)
    return sorted(part[1] for part in parts if part[0] == kind and part[2:] == ["pyproject.toml"])


def closure(read: Read, folder: str) -> list[str]:
    """Return a project's folder and all workspace folders that it depends on, also indirectly."""
    found: list[str] = []
    waiting = [folder]
    while waiting:
        project = waiting.pop()
        if project not in found:
            found.append(project)
            waiting += _workspace_dependencies(read, project)
    return sorted(found)


def _workspace_dependencies(read: Read, folder: str) -> list[str]:
    sources = parse(read, f"{folder}/pyproject.toml").get("tool", {}).get("uv", {}).get("sources", {})
    return [_beside(folder, source["path"]) for source in sources.values() if "path" in source]


def chart_closure(read: Read, folder: str) -> list[str]:
    """Return a chart's folder and those of its local library charts."""
    dependencies = parse(read, f"{folder}/Chart.yaml").get("dependencies", [])
    local = [each["repository"] for each in dependencies if each.get("repository", "").startswith("file://")]
    return [folder, *(_beside(folder, address.removeprefix("file://")) for address in local)]


def _beside(folder: str, relative: str) -> str:
    return posixpath.normpath(posixpath.join(folder, relative))


def below(tree: Tree, folders: Iterable[str]) -> dict[str, str]:
    """Return the files below some folders."""
    prefixes = tuple(f"{folder}/" for folder in folders)
    return {path: blob for path, blob in tree.items() if path.startswith(prefixes)}


def shipped(tree: Tree, folders: Iterable[str]) -> dict[str, str]:
    """Return the files below some folders without tests and documents, which reach no image or cluster."""
    folders = list(folders)
    return {path: blob for path, blob in below(tree, folders).items() if not _left_out(path, folders)}


def _left_out(path: str, folders: Iterable[str]) -> bool:
    inside = next(path.removeprefix(f"{folder}/") for folder in folders if path.startswith(f"{folder}/"))
    return inside.split("/")[0] in NOT_SHIPPED or ("/" not in inside and inside.endswith(".md"))


def digest(files: Tree) -> str:
    """Return one SHA-256 of files, their modes and names."""
    lines = "".join(f"{path}\t{blob}\n" for path, blob in sorted(files.items()))
    return f"sha256:{hashlib.sha256(encode(lines)).hexdigest()}"
