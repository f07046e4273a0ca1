"""Rules of the workflow files that act and the linters do not check."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from b2cctl import doctor
from b2cctl.__main__ import cli

ROOT = Path(__file__).parents[3]
WORKFLOWS = {path.name: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
every_workflow = pytest.mark.parametrize("path", WORKFLOWS.values(), ids=WORKFLOWS)


def load(path):
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)


def jobs(path):
    return load(path)["jobs"]


def steps(path):
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


@every_workflow
def test_workflow_permissions_start_from_none_and_are_explained(path):
    assert load(path)["permissions"] == {}
    for job in jobs(path).values():
        assert isinstance(job["permissions"], dict)
    granted = [line for line in path.read_text().splitlines() if re.match(r"\s+[a-z-]+: (read|write)\b", line)]
    granted = [line for line in granted if "permission-" not in line]  # those of the App's token
    assert [line for line in granted if " # " not in line] == []


@every_workflow
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(path):
    uses = re.findall(r"uses: (.+)", path.read_text())

    accepted = r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/[\w-]+\.yml"
    assert [use for use in uses if not re.fullmatch(accepted, use)] == []


@every_workflow
def test_a_checkout_leaves_no_credentials_behind(path):
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]

    assert [step["with"].get("persist-credentials") for step in checkouts] == ["false"] * len(checkouts)


@every_workflow
def test_no_expression_is_pasted_into_a_shell_script(path):
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@every_workflow
def test_no_failure_is_hidden(path):
    text = path.read_text()

    assert [
        word for word in ("continue-on-error", "|| true", "--exit-zero", "--force", ":latest") if word in text
    ] == []


def test_make_hides_no_failure_either():
    recipes = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("\t")]
    gates = [line for line in recipes if "pytest" in line or "ruff" in line or "mypy" in line or "lint-" in line]

    assert gates
    assert [line for line in gates if "||" in line or "--exit-zero" in line or line.startswith("\t-")] == []


@every_workflow
def test_every_job_ends_in_time(path):
    assert [name for name, job in jobs(path).items() if "uses" not in job and "timeout-minutes" not in job] == []


@every_workflow
def test_pull_request_workflow_has_only_the_rights_of_a_fork(path):
    assert "pull_request_target" not in load(path)["on"]
    assert "workflow_run" not in load(path)["on"]


def test_only_jobs_of_main_may_write():
    main = "github.event_name == 'push' && github.ref == 'refs/heads/main'"
    for name, job in jobs(WORKFLOWS["ci.yml"]).items():
        writes = "write" in job["permissions"].values() or "environment" in job
        assert not writes or main in job["if"], name
    assert {name for name, job in jobs(WORKFLOWS["ci.yml"]).items() if "write" in job["permissions"].values()} == {
        "publish",
        "release",
    }


def privileged_jobs():
    """Return the jobs that may write, know a secret, or judge a change, by workflow and name."""
    every = {f"{file}: {name}": job for file, path in WORKFLOWS.items() for name, job in jobs(path).items()}
    return {
        name: job
        for name, job in every.items()
        if "write" in job["permissions"].values()
        or "environment" in job
        or name in ("guard.yml: guard", "ci.yml: gate")
    }


def test_what_may_write_runs_b2cctl_without_the_development_tools():
    scripts = {name: [step.get("run", "") for step in job.get("steps", [])] for name, job in privileged_jobs().items()}

    assert len(scripts) >= 6
    assert {
        name: each for name, each in scripts.items() if re.search(r"\bmake\b|\.venv|\bpip\b", "\n".join(each))
    } == {}


def test_b2cctl_has_few_dependencies_each_pinned_by_hash():
    text = (ROOT / "tools/b2cctl/requirements.txt").read_text()
    names = re.findall(r"^([\w-]+)==", text, re.MULTILINE)

    assert set(names) >= {"click", "pydantic", "pyyaml"}
    assert len(names) <= 10
    assert "--require-hashes" in (ROOT / "tools/b2cctl/install").read_text()


def code_owners(path):
    """Return who must approve a change of a path: the last line of CODEOWNERS that matches."""
    lines = [line.split() for line in (ROOT / ".github/CODEOWNERS").read_text().splitlines() if line[:1] in ("*", "/")]
    assert all(pattern == "*" or pattern.endswith("/") for pattern, *_ in lines)
    matching = [owners for pattern, *owners in lines if pattern == "*" or f"/{path}".startswith(pattern)]
    return [owner.partition("/")[2] for owner in matching[-1]]


@pytest.mark.parametrize(
    "path",
    [
        ".github/CODEOWNERS",
        *(f".github/workflows/{name}" for name in WORKFLOWS),
        "tools/b2cctl/install",
        "tools/b2cctl/publish-image",
        "tools/b2cctl/requirements.txt",
        "tools/b2cctl/src/b2cctl/guard.py",
        "gitops/policy/promotion.yaml",
        "gitops/envs/stage/releases/user-service.yaml",
    ],
)
def test_platform_team_approves_what_releases_and_what_judges(path):
    assert code_owners(path) == ["platform"]
    assert (ROOT / path).exists() or "/releases/" in path


def test_release_managers_approve_production():
    assert code_owners("gitops/envs/prod/releases/user-service.yaml") == ["release-managers"]
    assert code_owners("services/user-service/app.py") == ["engineers"]


def test_app_is_optional_and_of_the_jobs_own_environment():
    for name in ("ci.yml", "promote.yml", "rollback.yml"):
        users = {job: each for job, each in jobs(WORKFLOWS[name]).items() if "app-token" in str(each)}
        for job in users.values():
            assert "environment" in job
            (app,) = (step for step in job["steps"] if step.get("id") == "app")
            assert app["if"] == "vars.BOT_CLIENT_ID != ''"
            tokens = [step["env"]["GH_TOKEN"] for step in job["steps"] if "GH_TOKEN" in step.get("env", {})]
            assert tokens == ["${{ steps.app.outputs.token || github.token }}"]
        assert users


def test_build_has_no_access_to_a_registry():
    text = WORKFLOWS["_build-image.yml"].read_text()

    assert [
        word for word in ("push: true", "login-action", "ghcr.io", "secrets", "token", ": write") if word in text
    ] == []


def test_only_scanned_attested_and_signed_images_are_released():
    done = [step.get("run", step.get("uses", "").split("@")[0]) for step in steps(WORKFLOWS["_publish-image.yml"])]

    scan = '"$GRYPE" sbom:sbom.spdx.json --fail-on high --only-fixed'
    ends = done[done.index("anchore/sbom-action") :]
    assert [each for each in ends if "installer" not in each and "download" not in each] == [
        "anchore/sbom-action",
        scan,
        "actions/attest",
        "actions/attest",
        'cosign sign --yes "$IMAGE@$DIGEST"',
        "actions/upload-artifact",
    ]


def test_a_run_on_main_is_never_cancelled_by_the_next():
    concurrency = load(WORKFLOWS["ci.yml"])["concurrency"]

    assert concurrency["group"] == "ci-${{ github.event.pull_request.number || github.run_id }}"
    assert [name for name, job in jobs(WORKFLOWS["ci.yml"]).items() if "concurrency" in job] == []


def test_no_path_filter_decides_what_runs():
    triggers = load(WORKFLOWS["ci.yml"])["on"]

    assert triggers == {"pull_request": "", "push": {"branches": ["main"]}}


def test_the_cluster_is_tested_every_night_and_for_what_it_reads():
    triggers = load(WORKFLOWS["cluster.yml"])["on"]

    assert triggers["schedule"]
    assert {"helm/**", "gitops/**", "services/*/Dockerfile"} <= set(triggers["pull_request"]["paths"])


def test_the_gate_waits_for_every_other_job_and_always_runs():
    every = jobs(WORKFLOWS["ci.yml"])

    assert set(every["gate"]["needs"]) == every.keys() - {"gate"}
    assert every["gate"]["if"] == "always()"


def test_one_image_that_cannot_be_built_does_not_hold_up_the_others():
    every = jobs(WORKFLOWS["ci.yml"])

    for name, needed in (("publish", "build"), ("release", "publish")):
        assert needed in every[name]["needs"]
        assert "!cancelled()" in every[name]["if"]
        assert f"needs.{needed}." not in every[name]["if"]
        assert every[needed]["strategy"]["fail-fast"] == "false"


def test_guard_runs_the_code_of_main():
    trusted, change, *others, judge = steps(WORKFLOWS["guard.yml"])

    assert trusted["with"]["ref"] == "${{ github.event.pull_request.base.ref }}"
    assert "ref" not in change["with"]
    assert judge["run"].startswith(
        f"{trusted['with']['path']}/.cache/b2cctl/bin/b2cctl -C {change['with']['path']} guard"
    )
    assert [step["run"] for step in others if "run" in step] == [f"{trusted['with']['path']}/tools/b2cctl/install"]


def test_a_push_by_the_bot_starts_a_run():
    # The release commit's own run handles a revert that was pushed meanwhile (test_plan.py).
    assert "[skip ci]" not in "".join(path.read_text() for path in (ROOT / "tools/b2cctl/src/b2cctl").glob("*.py"))


def test_the_environments_are_three_and_in_order():
    policy = yaml.safe_load((ROOT / "gitops/policy/promotion.yaml").read_text())

    assert policy["order"] == ["dev", "stage", "prod"]
    assert load(WORKFLOWS["promote.yml"])["on"]["workflow_dispatch"]["inputs"]["to"]["options"] == policy["order"][1:]
    assert load(WORKFLOWS["rollback.yml"])["on"]["workflow_dispatch"]["inputs"]["env"]["options"] == policy["order"]


def test_the_services_to_choose_from_are_those_that_exist():
    services = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
    for name, first in (("promote.yml", ["all"]), ("rollback.yml", [])):
        offered = load(WORKFLOWS[name])["on"]["workflow_dispatch"]["inputs"]["service"]["options"]
        assert sorted(offered) == sorted(first + services)


def test_the_code_owners_belong_to_the_owner_of_the_shop():
    owner = yaml.safe_load((ROOT / "gitops/policy/shop.yaml").read_text())["owner"]
    teams = re.findall(r"@(\S+)/", (ROOT / ".github/CODEOWNERS").read_text())

    assert teams
    assert set(teams) == {owner}


def rules(checks, up_to_date):
    required = {
        "required_status_checks": [{"context": check} for check in checks],
        "strict_required_status_checks_policy": up_to_date,
    }
    others = [{"type": kind} for kind in ("pull_request", "non_fast_forward", "deletion")]
    return [*others, {"type": "required_status_checks", "parameters": required}]


def guarded_by(ref):
    """Return the rules of a main that requires the guard as a workflow."""
    workflows = {"workflows": [{"path": ".github/workflows/guard.yml", "ref": ref, "repository_id": 1}]}
    return [*rules(["gate"], up_to_date=True), {"type": "workflows", "parameters": workflows}]


def reviewers(prevent_self_review):
    return {"protection_rules": [{"type": "required_reviewers", "prevent_self_review": prevent_self_review}]}


ENVIRONMENTS = ("dev", "stage", "prod")
EVERY = len(doctor.SETTINGS) + 1
ANSWERS = {
    "rules/branches/main": rules(["gate", "guard"], up_to_date=True),
    "actions/permissions/workflow": {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False},
    "actions/permissions": {"sha_pinning_required": True},
    **{f"environments/{env}/variables/BOT_CLIENT_ID": {"value": f"Iv23{env}"} for env in ENVIRONMENTS},
    "environments/prod": reviewers(prevent_self_review=True),
    **{
        f"environments/{env}/deployment-branch-policies": {"branch_policies": [{"name": "main"}]}
        for env in ENVIRONMENTS
    },
    **{f"environments/{env}/secrets": {"secrets": [{"name": "BOT_PRIVATE_KEY"}]} for env in ENVIRONMENTS},
}
MISTAKES = {
    "rules/branches/main": [],
    "actions/permissions/workflow": {
        "default_workflow_permissions": "write",
        "can_approve_pull_request_reviews": False,
    },
    "actions/permissions": {},
    **{f"environments/{env}/variables/BOT_CLIENT_ID": {"value": ""} for env in ENVIRONMENTS},
    "environments/prod": {"protection_rules": []},
    **{f"environments/{env}/deployment-branch-policies": {"branch_policies": []} for env in ENVIRONMENTS},
    **{f"environments/{env}/secrets": {"secrets": []} for env in ENVIRONMENTS},
}
HALF_MEASURES = {
    "one App for two environments": ("environments/dev/variables/BOT_CLIENT_ID", {"value": "Iv23prod"}),
    "a guard from any branch": ("rules/branches/main", guarded_by("refs/heads/topic")),
    "checks on branches that are behind": ("rules/branches/main", rules(["gate", "guard"], up_to_date=False)),
    "one of the checks": ("rules/branches/main", rules(["gate"], up_to_date=True)),
    "a reviewer who may be the one who started": ("environments/prod", reviewers(prevent_self_review=False)),
    "other branches beside main": (
        "environments/dev/deployment-branch-policies",
        {"branch_policies": [{"name": "main"}, {"name": "*"}]},
    ),
}


def examined(world, tmp_path, monkeypatch, answers):
    """Run the doctor with a `gh` that returns these answers."""
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    script = f"""#!{sys.executable}
import json, sys
answers = json.load(open({str(tmp_path / "answers.json")!r}))
found = answers.get(sys.argv[2].removeprefix("repos/example-shop/b2c-shop/"))
sys.exit(1) if found is None else print(json.dumps(found))
"""
    (tmp_path / "gh").write_text(script)
    (tmp_path / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    result = CliRunner().invoke(cli, ["-C", str(world.clone), "doctor"])
    return result.exit_code, [line.split()[0] for line in result.output.splitlines()]


def test_doctor_passes_on_a_correct_repository(world, tmp_path, monkeypatch):
    assert examined(world, tmp_path, monkeypatch, ANSWERS) == (0, EVERY * ["ok"])


def test_doctor_accepts_the_guard_as_a_required_workflow_of_main(world, tmp_path, monkeypatch):
    answers = ANSWERS | {"rules/branches/main": guarded_by("refs/heads/main")}

    assert examined(world, tmp_path, monkeypatch, answers) == (0, EVERY * ["ok"])


def test_doctor_reports_each_wrong_setting(world, tmp_path, monkeypatch):
    assert examined(world, tmp_path, monkeypatch, MISTAKES) == (1, EVERY * ["WRONG"])


@pytest.mark.parametrize(("endpoint", "answer"), HALF_MEASURES.values(), ids=HALF_MEASURES)
def test_doctor_reports_an_incomplete_setting(world, tmp_path, monkeypatch, endpoint, answer):
    code, verdicts = examined(world, tmp_path, monkeypatch, ANSWERS | {endpoint: answer})

    assert (code, verdicts.count("WRONG")) == (1, 1)


def test_doctor_lists_settings_that_it_cannot_read(world, tmp_path, monkeypatch):
    assert examined(world, tmp_path, monkeypatch, {}) == (0, EVERY * ["unknown"])
