"""A small shop in a bare repository with the layout of the real one."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from b2cctl.__main__ import cli

ENVIRONMENTS = ("dev", "stage", "prod")
RUN = "https://github.com/example-shop/b2c-shop/actions/runs/1"
IDENTITY = {
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_NAME": "Tester" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "tester@example.com" for role in ("AUTHOR", "COMMITTER")},
}
# People sign their commits. This stands in for gpg.
GPG = """#!/bin/sh
case "$*" in
*--verify*) echo "gpg: Good signature from Tester" >&2; echo "[GNUPG:] GOODSIG 1 Tester" ;;
*) cat > /dev/null; echo "[GNUPG:] SIG_CREATED " >&2
   printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nAAAA\\n-----END PGP SIGNATURE-----\\n' ;;
esac
"""
# Settings that people have, under which b2cctl must do the same as without: every test runs it with them.
SETTINGS = {
    "log.showSignature": "true",
    "log.follow": "true",
    "color.ui": "always",
    "diff.noprefix": "true",
    "diff.external": "false",
    "i18n.commitEncoding": "ISO-8859-1",
    "i18n.logOutputEncoding": "UTF-16",
    "core.splitIndex": "true",
    "core.quotePath": "false",
    "fetch.prune": "true",
    "push.followTags": "true",
    "push.gpgSign": "true",
    "push.pushOption": "ci.skip",
    "push.default": "nothing",
    "commit.gpgSign": "true",
}
LOGIN = "services/user-service/user_service/login.py"
MANIFEST = '[project]\nname = "{name}"\n\n[tool.uv.sources]\nchassis = {{ path = "../../libs/chassis" }}\n'
CHART = "apiVersion: v2\nname: {name}\ndependencies:\n  - name: b2c-common\n    repository: file://../b2c-common\n"
SHOP = {
    "Makefile": "test:\n",
    "README.md": "# Shop\n",
    "docker-compose.yml": "services: {}\n",
    "pyproject.toml": "",
    "requirements-dev.txt": "pytest==9.0.0\n",
    "docs/adr/0001.md": "# Git decides\n",
    "tests/test_walk.py": "",
    "libs/chassis/pyproject.toml": '[project]\nname = "chassis"\n',
    "libs/chassis/README.md": "# Chassis\n",
    "libs/chassis/src/chassis/__init__.py": "",
    "libs/chassis/tests/test_chassis.py": "",
    "helm/b2c-common/Chart.yaml": "apiVersion: v2\nname: b2c-common\n",
    "helm/b2c-common/templates/_pod.tpl": "",
    "helm/tests/test_render.py": "",
    "tools/b2cctl/src/b2cctl/__init__.py": "",
    "gitops/policy/shop.yaml": "owner: example-shop\nrepo: b2c-shop\nregistry: ghcr.io\n",
    "gitops/policy/promotion.yaml": "order: [dev, stage, prod]\n",
    **{f"gitops/envs/{env}/values/user-service.yaml": "replicas: 1\n" for env in ENVIRONMENTS},
    **{
        f"{folder}/{file}": text.format(name=name)
        for name in ("user-service", "order-service")
        for folder, files in {
            f"services/{name}": {
                "pyproject.toml": MANIFEST,
                "requirements.txt": "flask==3.1.0\n",
                "Dockerfile": "FROM scratch\n",
                "app.py": "",
                "README.md": "# {name}\n",
                "tests/test_app.py": "",
            },
            f"helm/{name}": {
                "Chart.yaml": CHART,
                "README.md": "# {name}\n",
                "values.yaml": "port: 1\n",
                "templates/deployment.yaml": "",
                "tests/test_one.py": "",
            },
        }.items()
        for file, text in files.items()
    },
}


def configure(file: Path, settings: Mapping[str, str]) -> None:
    """Write a git configuration."""
    for name, value in settings.items():
        text = value.format(folder=file.parent)
        subprocess.run(["git", "config", "--file", file, name, text], check=True)


@pytest.fixture(autouse=True, scope="session")
def _identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Configure an identity for git, which a new machine lacks."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "gpg").write_text(GPG)
    (folder / "gpg").chmod(0o755)
    signed = {"commit.gpgSign": "true", "gpg.program": "{folder}/gpg"}
    configure(folder / "people", signed)
    configure(folder / "operator", SETTINGS | signed)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in (IDENTITY | {"GIT_CONFIG_GLOBAL": str(folder / "people")}).items():
            monkeypatch.setenv(name, value)
        yield


def environment(of: str) -> dict[str, str]:
    """Return the environment of the people who push, or of the operator who starts b2cctl."""
    return {"GIT_CONFIG_GLOBAL": str(Path(os.environ["GIT_CONFIG_GLOBAL"]).with_name(of))}


@pytest.fixture(autouse=True)
def _outside_of_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_REPOSITORY", "GITHUB_EVENT_NAME", "NEEDS"):
        monkeypatch.delenv(name, raising=False)


@dataclass
class World:
    """A clone of a bare repository, with the actions of people and of the pipeline."""

    clone: Path
    bare: Path

    def copy_to(self, folder: Path) -> "World":
        shutil.copytree(self.clone.parent, folder)
        return World(folder / "clone", folder / "bare.git")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.clone), *arguments]
        env = os.environ | environment("people")
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()

    @staticmethod
    def digest(letter: str) -> str:
        """Return a recognisable image digest."""
        return "sha256:" + letter * 64

    def commit(self, files: dict[str, str | None]) -> str:
        """Write files (None deletes), commit, return the commit."""
        for name, text in files.items():
            path = self.clone / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "Change " + ", ".join(files))
        return self.git("rev-parse", "HEAD")

    def push(self, files: dict[str, str | None]) -> str:
        """Commit and push to main as a person, on top of its newest commit."""
        self.pull()
        commit = self.commit(files)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return commit

    def pull(self) -> None:
        self.git("fetch", "--quiet", "origin", "refs/heads/main")
        self.git("reset", "--quiet", "--hard", "FETCH_HEAD")

    def _invoke(self, *arguments: str) -> Result:
        command = ["-C", str(self.clone), *arguments]
        return CliRunner(env=environment("operator")).invoke(cli, command, catch_exceptions=False)

    def b2cctl(self, *arguments: str) -> str:
        """Run b2cctl and return its output; fail when it refuses."""
        result = self._invoke(*arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def refusal(self, *arguments: str) -> str:
        """Run b2cctl, which must refuse; return the reason."""
        result = self._invoke(*arguments)
        assert result.exit_code == 1, result.output
        return result.output

    def release(self, images: dict[str, str], commit: str | None = None) -> str:
        """Run the release command of the pipeline; each letter stands for an image's digest."""
        folder = self.clone.parent / f"digests-{os.urandom(4).hex()}"
        folder.mkdir()
        for service, image in images.items():
            (folder / f"{service}.digest").write_text(self.digest(image))
        found = self.b2cctl("release", "--digests", str(folder), "--run", RUN, "--commit", commit or "HEAD")
        self.pull()
        return found

    def promote(self, source: str, target: str, *arguments: str) -> str:
        found = self.b2cctl("promote", source, target, "--skip-attestation", "--direct", *arguments)
        self.pull()
        return found

    def recorded(self, env: str, service: str) -> dict[str, object]:
        """Return a release from the bare repository, as Argo CD reads it."""
        text = subprocess.run(
            ["git", "-C", str(self.bare), "show", f"refs/heads/main:gitops/envs/{env}/releases/{service}.yaml"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        return dict(yaml.safe_load(text))

    def image(self, env: str, service: str) -> str:
        return str(self.recorded(env, service)["image"]["digest"])  # type: ignore[index]


def _found(folder: Path) -> World:
    world = World(folder / "clone", folder / "bare.git")
    init = ["git", "init", "--quiet", "--template=", "-b", "main"]
    subprocess.run([*init, "--bare", world.bare], check=True)
    subprocess.run([*init, world.clone], check=True)
    world.git("remote", "add", "origin", "../bare.git")
    world.commit(dict(SHOP))
    world.git("push", "--quiet", "origin", "HEAD:main")
    return world


def _ship(world: World) -> None:
    world.promote("dev", "stage")
    world.promote("stage", "prod")
    world.push({LOGIN: "1"})
    world.release({"user-service": "b"})
    world.promote("dev", "stage", "user-service")
    world.push({LOGIN: "2"})
    world.release({"user-service": "c"})


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that puts a `gh` of a shell script on the path; it returns the file that notes the calls."""

    def install(body: str = "") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "gh").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {folder / "calls"}\n{body}\n')
        (folder / "gh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return folder / "calls"

    return install


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], World]:
    """Three states of a shop, created on first use and copied for each test."""
    folder = tmp_path_factory.mktemp("templates")

    @cache
    def template(name: str) -> World:
        if name == "empty":
            world = _found(folder / name)
        elif name == "released":
            world = template("empty").copy_to(folder / name)
            world.release({"user-service": "a", "order-service": "b"})
        else:
            world = template("released").copy_to(folder / name)
            _ship(world)
        world.git("gc", "--quiet")  # fewer files to copy
        return world

    return template


@pytest.fixture
def empty_world(templates: Callable[[str], World], tmp_path: Path) -> World:
    """The shop before its first release."""
    return templates("empty").copy_to(tmp_path / "world")


@pytest.fixture
def world(templates: Callable[[str], World], tmp_path: Path) -> World:
    """The shop with both services released to dev: user-service as image a, order-service as b."""
    return templates("released").copy_to(tmp_path / "world")


@pytest.fixture
def shipped(templates: Callable[[str], World], tmp_path: Path) -> World:
    """The shop after promotions: prod runs user-service as image a, stage as b, dev as c."""
    return templates("shipped").copy_to(tmp_path / "world")
