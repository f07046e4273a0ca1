"""The real workflows, run by act on a bare repository with stubs for external actions and commands.

act ignores permissions, environments and concurrency; test_workflow_rules.py checks those.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOGIN = "services/user-service/user_service/login.py"

# Each action records its name; some imitate a part of the original.
ACTIONS = {
    "actions/checkout": """
        target="$GITHUB_WORKSPACE/$INPUT_PATH"
        git clone --quiet --shared --no-checkout "$SANDBOX" "$target"
        git -C "$target" checkout --quiet --detach "${INPUT_REF:-$GITHUB_SHA}"
        git -C "$target" remote set-url origin "$BARE"
        """,
    "actions/setup-python": "",
    "actions/upload-artifact": """
        mkdir -p "$ARTIFACTS/$INPUT_NAME"
        cp "$INPUT_PATH" "$ARTIFACTS/$INPUT_NAME/"
        """,
    "actions/download-artifact": """
        mkdir -p "./$INPUT_PATH"
        for found in "$ARTIFACTS"/$INPUT_PATTERN/*; do
            if [ -e "$found" ]; then cp "$found" "./$INPUT_PATH/"; fi
        done
        """,
    "actions/create-github-app-token": """
        echo "token=app-token" >> "$GITHUB_OUTPUT"
        echo "app-slug=shop-bot" >> "$GITHUB_OUTPUT"
        """,
    "actions/attest": 'note "attest $INPUT_SUBJECT_NAME@$INPUT_SUBJECT_DIGEST ${INPUT_SBOM_PATH:-provenance}"',
    "docker/setup-buildx-action": "",
    "docker/login-action": "",
    "docker/build-push-action": """
        note "build $INPUT_CONTEXT $INPUT_PLATFORMS with $INPUT_BUILD_CONTEXTS push=${INPUT_PUSH:-no}"
        destination=${INPUT_OUTPUTS#*dest=}
        oci archive "$INPUT_CONTEXT $INPUT_PLATFORMS" "${destination%%,*}"
        """,
    "anchore/sbom-action": 'touch "$INPUT_OUTPUT_FILE"',
    "anchore/scan-action/download-grype": 'echo "cmd=grype" >> "$GITHUB_OUTPUT"',
    "sigstore/cosign-installer": "",
}
INPUTS = ["path", "ref", "name", "pattern", "context", "platforms", "build-contexts", "push", "outputs", "output-file"]
INPUTS += ["subject-name", "subject-digest", "sbom-path"]
UNUSED = [
    "persist-credentials",
    "fetch-depth",
    "python-version",
    "retention-days",
    "if-no-files-found",
    "merge-multiple",
]
UNUSED += ["client-id", "private-key", "permission-contents", "permission-pull-requests", "permission-attestations"]
UNUSED += ["push-to-registry", "cache-binary", "registry", "username", "password", "build-args", "labels", "provenance"]
UNUSED += ["image", "format", "upload-artifact", "upload-release-assets"]

# Each command records its arguments.
COMMANDS = {
    "sudo": "",
    "skopeo": 'exec oci skopeo "$@"',
    "cosign": "",
    "grype": "",
    "gh": "",
    "zizmor": "",
}
OCI = f"""#!/bin/sh
exec {sys.executable} {Path(__file__).with_name("oci.py")} "$@"
"""
MAKEFILE = """
setup:
\t@mkdir -p .venv/bin && ln -sf "$$(command -v zizmor)" .venv/bin/
check check-deps check-clients e2e-stripe e2e-browser e2e-containers kind-cluster e2e-cluster:
\t@echo "make $@" >> $(LOG)
test:
\t@echo "make test $(TESTS)" >> $(LOG)
\t@test "$(TESTS)" != "$(FAILING)"
"""
INSTALL = f"""#!/bin/sh
cd "$(dirname "$0")/../.."
mkdir -p .cache/b2cctl/bin
ln -sf {Path(sys.executable).parent}/b2cctl .cache/b2cctl/bin/
"""


def pinned_actions():
    text = "".join(path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml"))
    return sorted(set(re.findall(r"uses: ([\w./-]+@[0-9a-f]{40})", text)))


def write_stubs(folder):
    """Write an action.yml per stubbed action, and the stubbed commands; return act's arguments."""
    arguments = []
    for action in pinned_actions():
        name = action.split("@")[0]
        stub = folder / "actions" / name
        stub.mkdir(parents=True)
        script = f'note() {{ echo "$*" >> "$LOG"; }}\nnote "uses {name}"\n{textwrap.dedent(ACTIONS[name])}'
        env = {f"INPUT_{each.upper().replace('-', '_')}": f"${{{{ inputs.{each} }}}}" for each in INPUTS}
        step = {"id": "stub", "shell": "bash", "run": script, "env": env}
        outputs = {each: {"value": f"${{{{ steps.stub.outputs.{each} }}}}"} for each in ("token", "app-slug", "cmd")}
        action_file = {
            "name": name,
            "inputs": {each: {"default": ""} for each in INPUTS + UNUSED},
            "outputs": outputs,
            "runs": {"using": "composite", "steps": [step]},
        }
        (stub / "action.yml").write_text(json.dumps(action_file))
        owner_and_repo = "/".join(name.split("/")[:2])
        arguments += [
            "--local-repository",
            f"{owner_and_repo}@{action.split('@')[1]}={folder / 'actions' / owner_and_repo}",
        ]
    commands = folder / "bin"
    commands.mkdir()
    for name, body in COMMANDS.items():
        (commands / name).write_text(f'#!/bin/bash\necho "{name} $*" >> "$LOG"\n{textwrap.dedent(body)}')
        (commands / name).chmod(0o755)
    (commands / "oci").write_text(OCI)
    (commands / "oci").chmod(0o755)
    return arguments


@dataclass
class Runner:
    """Run workflows in the sandbox and record calls of stubs."""

    world: object
    folder: Path
    arguments: list[str]

    def run(self, workflow, event, payload, sandbox=None, app=True, **env):
        """Run a workflow on the sandbox's HEAD; return whether it succeeded, and its log."""
        log, artifacts = self.folder / "log", self.folder / "artifacts"
        shutil.rmtree(artifacts, ignore_errors=True)
        artifacts.mkdir()
        log.write_text("")
        self.registry.mkdir(exist_ok=True)
        (self.folder / "event.json").write_text(json.dumps(payload))
        sandbox = sandbox or self.world.clone
        shared = {"LOG": log, "ARTIFACTS": artifacts, "SANDBOX": sandbox, "BARE": self.world.bare}
        shared |= {"REGISTRY": self.registry}
        shared |= {"FAILING": "none"} | env
        command = ["act", event, "-W", f".github/workflows/{workflow}", "-e", str(self.folder / "event.json")]
        command += ["-P", "ubuntu-24.04=-self-hosted", "-P", "ubuntu-24.04-arm=-self-hosted", "--pull=false"]
        command += [
            "--remote-name",
            "github",
            "--no-skip-checkout",
            "--no-cache-server",
            "--action-cache-path",
            str(self.folder / "cache"),
            *self.arguments,
        ]
        command += ["-s", "GITHUB_TOKEN=token"]
        command += ["-s", "BOT_PRIVATE_KEY=key", "--var", "BOT_CLIENT_ID=id"] if app else []
        command += [part for name, value in shared.items() for part in ("--env", f"{name}={value}")]
        path = f"{self.folder / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=sandbox,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told = re.compile(r"  \| |❌|^Error")
        self.said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if told.search(line))
        return done.returncode == 0, sorted(line for line in log.read_text().splitlines())

    @property
    def registry(self):
        return self.folder / "registry"

    def push(self, **env):
        return self.run("ci.yml", "push", {"ref": "refs/heads/main"}, **env)

    def pull_request(self, workflow="ci.yml", fork=False, **env):
        head = {"ref": "topic", "repo": {"fork": fork}}
        payload = {"pull_request": {"number": 7, "head": head, "base": {"ref": "main"}}}
        return self.run(workflow, "pull_request", payload, **env)

    def dispatch(self, workflow, **inputs):
        return self.run(workflow, "workflow_dispatch", {"inputs": inputs})


def called(log, *words):
    return [line for line in log if line.startswith(words)]


@pytest.fixture(scope="session")
def with_workflows(templates, tmp_path_factory):
    """Return a shop with the real workflows."""
    world = templates("shipped").copy_to(tmp_path_factory.mktemp("workflows") / "world")
    workflows = {
        f".github/workflows/{path.name}": path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")
    }
    tools = world.clone / "tools/b2cctl"
    shutil.copy(ROOT / "tools/b2cctl/publish-image", tools / "publish-image")
    (tools / "install").write_text(INSTALL)
    (tools / "install").chmod(0o755)
    world.push({"Makefile": MAKEFILE, ".gitignore": ".venv\n.cache\n", LOGIN: "3"} | workflows)
    world.release({"user-service": "d"})
    world.git("remote", "add", "github", "https://github.com/example-shop/b2c-shop")  # so act knows its name
    return world


@pytest.fixture
def runner(with_workflows, tmp_path):
    """Return a runner for a shop whose dev runs user-service as image d."""
    folder = tmp_path / "act"
    folder.mkdir()
    return Runner(with_workflows.copy_to(tmp_path / "world"), folder, write_stubs(folder))


PUSHES = ("skopeo", "cosign", "attest", "uses docker/login", "uses actions/create-github-app-token", "gh ")


def test_push_releases_what_it_affects_and_release_commit_nothing(runner):
    # given
    world = runner.world
    commit = world.push({LOGIN: "4"})
    others = world.recorded("dev", "order-service")

    # when
    succeeded, log = runner.push()

    # then
    assert succeeded, runner.said
    user = "ghcr.io/example-shop/user-service"
    pushed = (runner.registry / f"{user}:sha-{commit[:12]}".replace("/", "+")).read_bytes()
    digest = "sha256:" + hashlib.sha256(pushed).hexdigest()
    assert called(log, "make") == [
        "make check",
        "make check-clients",
        "make e2e-browser",
        "make e2e-stripe",
        *3 * ["make test services/user-service"],
        *3 * ["make test tests tools"],
    ]
    assert called(log, "build ") == [
        f"build services/user-service linux/{arch} with chassis=libs/chassis push=no" for arch in ("amd64", "arm64")
    ]
    assert [each["platform"]["architecture"] for each in json.loads(pushed)["manifests"]] == ["amd64", "arm64"]
    assert called(log, "grype") == ["grype sbom:sbom.spdx.json --fail-on high --only-fixed"]
    reference = f"{user}@{digest}"
    assert called(log, "attest") == [f"attest {reference} provenance", f"attest {reference} sbom.spdx.json"]
    assert called(log, "cosign") == [f"cosign sign --yes {reference}"]
    released = world.recorded("dev", "user-service")
    assert (released["image"]["digest"], released["sourceSha"]) == (digest, commit)
    assert released["runUrl"] == "https://github.com/example-shop/b2c-shop/actions/runs/1"
    assert world.recorded("dev", "order-service") == others

    # when the release commit triggers a run of its own
    world.pull()
    succeeded, log = runner.push()

    # then it builds nothing, so releases cannot loop
    assert succeeded, runner.said
    assert called(log, "make") == ["make check"]
    assert called(log, "build ", "uses actions/download", *PUSHES) == []


def test_image_of_somebody_else_under_our_tag_is_not_signed_or_released(runner):
    # given a commit whose tag names an image that no run of ours has built
    world = runner.world
    commit = world.push({LOGIN: "4"})
    before = world.recorded("dev", "user-service")
    runner.registry.mkdir()
    name = f"ghcr.io/example-shop/user-service:sha-{commit[:12]}".replace("/", "+")
    (runner.registry / name).write_text("{}")

    # when
    succeeded, log = runner.push()

    # then
    assert not succeeded
    assert "already, but this run built sha256:" in runner.said
    assert called(log, "attest", "cosign") == []
    assert (runner.registry / name).read_text() == "{}"
    assert world.recorded("dev", "user-service") == before


def test_fork_without_an_app_releases_with_its_own_token(runner):
    world = runner.world
    commit = world.push({"helm/user-service/values.yaml": "port: 3\n"})

    succeeded, log = runner.push(app=False)

    assert succeeded, runner.said
    assert called(log, "uses actions/create-github-app-token") == []
    assert world.recorded("dev", "user-service")["chartRevision"] == commit
    world.pull()
    assert world.git("log", "-1", "--format=%an") == "github-actions[bot]"


def test_a_chart_edit_is_released_without_a_build(runner):
    world = runner.world
    commit = world.push({"helm/user-service/values.yaml": "port: 3\n"})

    succeeded, log = runner.push()

    assert succeeded, runner.said
    assert called(log, "build ", "skopeo", "cosign") == []
    assert world.recorded("dev", "user-service")["chartRevision"] == commit


@pytest.mark.parametrize("fork", [False, True], ids=["own branch", "fork"])
def test_a_pull_request_builds_and_pushes_nothing(runner, fork):
    # given
    world = runner.world
    before = world.git("ls-remote", "origin")
    world.commit({LOGIN: "4"})

    # when
    succeeded, log = runner.pull_request(fork=fork)

    # then
    assert succeeded, runner.said
    assert len(called(log, "build services/user-service")) == 2
    assert called(log, "uses actions/upload-artifact", *PUSHES) == []
    assert world.git("ls-remote", "origin") == before


def test_nothing_is_published_when_a_test_fails(runner):
    world = runner.world
    world.push({LOGIN: "4"})
    before = world.git("ls-remote", "origin", "main")

    succeeded, log = runner.push(FAILING="services/user-service")

    assert not succeeded
    assert "test: failure" in runner.said
    assert called(log, *PUSHES) == []
    assert world.git("ls-remote", "origin", "main") == before


def merge_the_pushed_branch(world):
    """Check out the only pull request merged into main, as GitHub does."""
    branch = world.git("ls-remote", "origin", "refs/heads/b2cctl/*").split()[1]
    world.git("fetch", "--quiet", "origin", branch)
    world.git("merge", "--quiet", "--no-ff", "--no-edit", "FETCH_HEAD")


def test_a_promotion_becomes_a_pull_request_that_the_guard_lets_pass(runner):
    # when
    succeeded, log = runner.dispatch(
        "promote.yml", **{"from": "stage", "to": "prod", "service": "user-service", "digest": runner.world.digest("b")}
    )

    # then a branch was pushed, with evidence, and main is as before
    assert succeeded, runner.said
    assert called(log, "gh attestation")[0].startswith(
        f"gh attestation verify oci://ghcr.io/example-shop/user-service@{runner.world.digest('b')}"
    )
    assert called(log, "gh pr create --base main --head b2cctl/prod-")
    assert runner.world.image("prod", "user-service") == runner.world.digest("a")

    # when the pull request is checked as it would be merged
    merge_the_pushed_branch(runner.world)
    succeeded, _ = runner.pull_request("guard.yml")

    # then
    assert succeeded, runner.said


def test_the_guard_refuses_a_digest_made_by_hand(runner):
    # given a pull request that edits a digest
    world = runner.world
    path = "gitops/envs/prod/releases/user-service.yaml"
    text = (world.clone / path).read_text().replace(world.digest("a"), world.digest("f"))
    base = world.git("rev-parse", "HEAD")
    world.commit({path: text})
    world.git("checkout", "--quiet", "-b", "topic")
    world.git("checkout", "--quiet", "-B", "main", base)
    world.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")

    # when
    succeeded, _ = runner.pull_request("guard.yml")

    # then
    assert not succeeded
    assert "not what promote, rollback or unhold would write: stage records sha256:bbbb" in runner.said


def test_a_promotion_of_an_image_that_the_source_does_not_run_fails(runner):
    succeeded, log = runner.dispatch(
        "promote.yml", **{"from": "stage", "to": "prod", "service": "user-service", "digest": runner.world.digest("c")}
    )

    assert not succeeded
    assert "stage runs user-service sha256:bbbb" in runner.said
    assert called(log, "gh pr") == []


def test_a_rollback_of_dev_is_immediate_and_one_of_prod_a_pull_request(runner):
    world = runner.world
    shared = {"action": "rollback", "service": "user-service", "reason": "Logins $(fail)", "to": ""}

    assert runner.dispatch("rollback.yml", env="dev", **shared)[0], runner.said
    succeeded, log = runner.dispatch("rollback.yml", env="stage", **shared)

    assert succeeded, runner.said
    held = world.recorded("dev", "user-service")
    assert (held["image"]["digest"], held["hold"], held["reason"]) == (world.digest("c"), True, "Logins $(fail)")
    assert world.image("stage", "user-service") == world.digest("b")
    assert called(log, "gh pr create --base main --head b2cctl/stage-")


def test_nightly_run_checks_pins_containers_and_running_images(runner):
    succeeded, log = runner.run("drift.yml", "schedule", {})

    assert succeeded, runner.said
    order, user = (f"grype ghcr.io/example-shop/{name}-service@" for name in ("order", "user"))
    images = [order + runner.world.digest("b")] * 3 + [user + runner.world.digest(letter) for letter in "abd"]
    assert called(log, "grype") == sorted(f"{each} --fail-on high --only-fixed" for each in images)
    assert called(log, "make") == ["make check-deps", "make e2e-containers"]


@pytest.mark.parametrize("event", ["schedule", "pull_request"])
def test_the_cluster_is_tested_on_kind(runner, event):
    succeeded, log = (
        runner.run("cluster.yml", "schedule", {}) if event == "schedule" else runner.pull_request("cluster.yml")
    )

    assert succeeded, runner.said
    assert called(log, "make") == ["make e2e-cluster", "make kind-cluster"]
