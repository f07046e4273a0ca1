"""A copy of this working tree in a bare repository, from which Argo CD deploys."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster.access import ROOT, WORKSPACE, Doc, run

RUN_URL = "https://github.com/example-shop/b2c-shop/actions/runs/1"
IDENTITY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_NAME": "Operator" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "operator@example.com" for role in ("AUTHOR", "COMMITTER")},
}


class Repository:
    """A bare repository and a clone for changes."""

    def __init__(self, folder: Path = WORKSPACE) -> None:
        self.bare, self.clone = folder / "shop.git", folder / "clone"
        self.url = f"file://{self.bare}"

    def create(self) -> None:
        """Copy the working tree with uncommitted changes; let root.yaml name this repository."""
        for path in (self.bare, self.clone):
            shutil.rmtree(path, ignore_errors=True)
        listed = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        for name in listed.strip("\0").split("\0"):
            if (ROOT / name).is_file():
                (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.clone / name)
        for folder in self.clone.glob("gitops/envs/*/releases"):
            shutil.rmtree(folder)
        root = self.clone / "gitops/root.yaml"
        root.write_text(root.read_text().replace(f"https://github.com/{_slug()}.git", self.url))
        run("git", "init", "--quiet", "--bare", "-b", "main", self.bare)
        run("git", "init", "--quiet", "-b", "main", self.clone)
        self.git("remote", "add", "origin", str(self.bare))
        self.push("Found the shop")

    def git(self, *arguments: str) -> str:
        return run("git", "-C", self.clone, *arguments, env=os.environ | IDENTITY)

    def push(self, message: str) -> str:
        """Commit everything and push it to main; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def values(self, env: str, name: str) -> Path:
        return self.clone / f"gitops/envs/{env}/values/{name}.yaml"

    def change_values(self, env: str, name: str, changes: Doc) -> None:
        """Merge changes into an environment's values file."""
        file = self.values(env, name)
        file.write_text(yaml.safe_dump(_merged(yaml.safe_load(file.read_text()), changes), sort_keys=False))

    def b2cctl(self, *arguments: str) -> str:
        """Run b2cctl, then reset the clone to the pushed commit."""
        program = Path(sys.executable).with_name("b2cctl")
        said = run(program, "-C", self.clone, *arguments, env=os.environ | IDENTITY)
        self.git("fetch", "--quiet", "origin", "main")
        self.git("reset", "--quiet", "--hard", "FETCH_HEAD")
        return said

    def release(self, digests: Mapping[str, str]) -> None:
        """Release images to dev, as the pipeline does after a build."""
        folder = self.clone.parent / "digests"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for service, digest in digests.items():
            (folder / f"{service}.digest").write_text(digest)
        said = self.b2cctl("release", "--digests", str(folder), "--run", RUN_URL, "--commit", "HEAD")
        assert said.count(": released") == len(digests), said

    def promote(self, source: str, target: str, *services: str) -> None:
        self.b2cctl("promote", source, target, *services, "--skip-attestation", "--direct")

    def touch(self, service: str) -> None:
        """Change a file of the service's image, so that there is something to release."""
        path = self.clone / f"services/{service}/app.py"
        path.write_text(path.read_text() + "\n")
        self.push(f"Change {service}")


def _slug() -> str:
    policy = yaml.safe_load((ROOT / "gitops/policy/shop.yaml").read_text())
    return f"{policy['owner']}/{policy['repo']}"


def _merged(under: Any, over: Any) -> Any:
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    return under | {key: _merged(under.get(key), value) for key, value in over.items()}
