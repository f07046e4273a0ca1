"""Build, release, promote and roll back with real images, a registry and b2cctl."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from containers.engine import ROOT, answers, build, docker, eventually, inspect, remove_images

SERVICES = ("user-service", "order-service")
RUN = "https://github.com/example-shop/b2c-shop/actions/runs/1"
IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Tester"), ("EMAIL", "tester@example.com"))
}


def run(*command: str | Path, cwd: Path | None = None) -> str:
    environment = os.environ | IDENTITY | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass
class Pipeline:
    """Act as CI after a push to main: plan, build, push, and record the release in dev."""

    clone: Path
    registry: str
    built: list[str] = field(default_factory=list)

    def git(self, *arguments: str) -> str:
        return run("git", "-C", self.clone, *arguments)

    def b2cctl(self, *arguments: str) -> str:
        return run(sys.executable, "-m", "b2cctl", "-C", self.clone, *arguments)

    def commit(self, path: str, text: str) -> None:
        """Push a commit that appends a line to a file."""
        self.git("pull", "--quiet", "--rebase", "origin", "main")
        with (self.clone / path).open("a") as file:
            file.write(text)
        self.git("commit", "--quiet", "--all", "--message", f"Change {path}")
        self.git("push", "--quiet", "origin", "main")

    def deliver(self, digests: Path) -> list[str]:
        """Return the services whose images were built and pushed."""
        plan = json.loads(self.b2cctl("plan", "--json"))
        digests.mkdir()
        for image in plan["build"]:
            (digests / f"{image['service']}.digest").write_text(self.publish(image, plan["epoch"]))
        self.b2cctl("release", "--digests", str(digests), "--run", RUN)
        return [image["service"] for image in plan["build"]]

    def publish(self, image: dict[str, str], epoch: int) -> str:
        tag = f"{image['image']}:{image['tag']}"
        build(image["service"], tag, "--build-arg", f"SOURCE_DATE_EPOCH={epoch}", root=self.clone)
        docker("push", "--quiet", tag)
        self.built.append(tag)
        (pushed,) = (each for each in inspect(tag)["RepoDigests"] if each.startswith(f"{image['image']}@"))
        return str(pushed.split("@")[1])

    def recorded(self, env: str, service: str) -> dict[str, Any]:
        self.git("fetch", "--quiet", "origin", "main")
        text = self.git("show", f"origin/main:gitops/envs/{env}/releases/{service}.yaml")
        release: dict[str, Any] = yaml.safe_load(text)
        return release

    def digest(self, env: str, service: str) -> str:
        return str(self.recorded(env, service)["image"]["digest"])

    def tags(self, service: str) -> int:
        answer = httpx.get(f"http://{self.registry}/v2/example-shop/{service}/tags/list")
        return len(answer.raise_for_status().json()["tags"])


@pytest.fixture
def registry(images: dict[str, str]) -> Iterator[str]:
    name = f"b2c-test-{os.getpid()}-registry"
    docker("run", "--detach", "--rm", "--name", name, "--publish", "127.0.0.1::5000", images["REGISTRY_IMAGE"])
    try:
        address = docker("port", name, "5000/tcp").splitlines()[0]
        eventually(lambda: answers(f"http://{address}/v2/"), "the registry answers")
        yield address
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.fixture
def pipeline(registry: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Push this repository's committed files to a bare repository whose images go to the registry."""
    bare, clone = tmp_path / "bare.git", tmp_path / "clone"
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", bare)
    run("git", "clone", "--quiet", bare, clone)
    run("sh", "-c", f"git -C '{ROOT}' archive HEAD | tar -x -C '{clone}'")
    policy = clone / "gitops/policy/shop.yaml"
    policy.write_text(f"owner: example-shop\nrepo: b2c-shop\nregistry: {registry}\n")
    run("git", "checkout", "--quiet", "-B", "main", cwd=clone)
    run("git", "add", "--all", cwd=clone)
    run("git", "commit", "--quiet", "--message", "Start", cwd=clone)
    run("git", "push", "--quiet", "origin", "main", cwd=clone)
    pipeline = Pipeline(clone, registry)
    yield pipeline
    remove_images(*pipeline.built)


def release_both(pipeline: Pipeline, folder: Path) -> dict[str, str]:
    assert pipeline.deliver(folder) == ["order-service", "user-service"]
    return {service: pipeline.digest("dev", service) for service in SERVICES}


def promote_everywhere(pipeline: Pipeline) -> None:
    for source, target in (("dev", "stage"), ("stage", "prod")):
        pipeline.b2cctl("promote", source, target, "--skip-attestation", "--direct")


def test_a_change_builds_pushes_and_releases_the_affected_image_alone(pipeline: Pipeline, tmp_path: Path) -> None:
    first = release_both(pipeline, tmp_path / "first")

    pipeline.commit("services/order-service/app.py", "# second\n")

    assert pipeline.deliver(tmp_path / "second") == ["order-service"]
    assert pipeline.digest("dev", "order-service") != first["order-service"]
    assert pipeline.digest("dev", "user-service") == first["user-service"]
    assert (pipeline.tags("user-service"), pipeline.tags("order-service")) == (1, 2)

    # and the release commit changes no input
    pipeline.git("reset", "--quiet", "--hard", "origin/main")
    assert pipeline.deliver(tmp_path / "nothing") == []


def test_stage_and_prod_get_the_image_digest_of_dev(pipeline: Pipeline, tmp_path: Path) -> None:
    release_both(pipeline, tmp_path / "first")
    pipeline.commit("services/order-service/app.py", "# second\n")
    pipeline.deliver(tmp_path / "second")
    second = pipeline.digest("dev", "order-service")

    promote_everywhere(pipeline)

    for service in SERVICES:
        images = [pipeline.recorded(env, service)["image"] for env in ("dev", "stage", "prod")]
        assert images == [images[0]] * 3
    assert pipeline.digest("prod", "order-service") == second
    assert pulled(pipeline, "prod", "order-service", "tail", "-n", "1", "app.py") == "# second"


def pulled(pipeline: Pipeline, env: str, service: str, *command: str) -> str:
    """Run a command in an environment's recorded image, pulled by digest."""
    remove_images(*pipeline.built)
    image = pipeline.recorded(env, service)["image"]
    reference = f"{image['repository']}@{image['digest']}"
    pipeline.built.append(reference)
    docker("pull", "--quiet", reference)
    return docker("run", "--rm", reference, *command)


def test_a_rollback_holds_until_unhold_and_leaves_prod_alone(pipeline: Pipeline, tmp_path: Path) -> None:
    # given a second release in all environments
    first = release_both(pipeline, tmp_path / "first")["order-service"]
    pipeline.commit("services/order-service/app.py", "# second\n")
    pipeline.deliver(tmp_path / "second")
    second = pipeline.digest("dev", "order-service")
    promote_everywhere(pipeline)

    # when dev is rolled back
    pipeline.b2cctl("rollback", "dev", "order-service", "--reason", "it refuses orders")
    held = pipeline.recorded("dev", "order-service")
    assert (held["image"]["digest"], held["hold"], held["reason"]) == (first, True, "it refuses orders")

    # then the next push does not undo that
    pipeline.commit("services/order-service/app.py", "# third\n")
    assert pipeline.deliver(tmp_path / "third") == ["order-service"]
    assert pipeline.recorded("dev", "order-service") == held
    assert pipeline.digest("prod", "order-service") == second

    # and after unhold the next one releases again
    pipeline.b2cctl("unhold", "dev", "order-service")
    pipeline.commit("README.md", "\n")
    assert pipeline.deliver(tmp_path / "fourth") == ["order-service"]
    fourth = pipeline.recorded("dev", "order-service")
    assert not fourth["hold"]
    assert fourth["image"]["digest"] not in {first, second}
