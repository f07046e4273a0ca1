"""Plant the defects of the shop's first version one by one: each must fail a test.

The numbers are those of the first version's list of defects; missing numbers have tests in services and charts.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
CODE = "tools/b2cctl/src/b2cctl"
TESTS = "tools/b2cctl/tests"
CI = ".github/workflows/ci.yml"
PUBLISH = ".github/workflows/_publish-image.yml"
ZIZMOR = "zizmor"
NEEDED = [".github", "gitops/policy", "tools/b2cctl", "services/*/pyproject.toml", "Makefile"]


@dataclass
class Defect:
    """A replacement of text in a file, and the test that must fail."""

    file: str
    sound: str
    planted: str
    seen_by: str


DEFECTS = {
    "4 images are pushed to one owner and deployed from another": Defect(
        f"{CODE}/shop.py",
        "{self.owner['owner']}/{service}",
        "first-owner/{service}",
        f"{TESTS}/test_release.py::test_a_release_records_what_was_built",
    ),
    "4 a fork goes on with the owner of its parent": Defect(
        f"{CODE}/__main__.py",
        "if slug and slug.lower() != shop.slug.lower():",
        "if False:",
        f"{TESTS}/test_plan.py::test_plan_refuses_a_fork_whose_policy_names_another_owner",
    ),
    "5 a promotion takes whatever digest it is told": Defect(
        f"{CODE}/changes.py",
        "    if digest and current.image.digest != digest:\n",
        "    if digest:\n"
        '        current = current.with_changes(image=current.image.model_copy(update={"digest": digest}))\n'
        "    if False:\n",
        f"{TESTS}/test_promotion.py::test_a_promotion_of_another_image_than_the_source_runs_is_refused",
    ),
    "6 nobody checks who built what is promoted": Defect(
        f"{CODE}/__main__.py",
        "if not skip_attestation:",
        "if False:",
        f"{TESTS}/test_promotion.py::test_image_without_attestation_is_not_promoted",
    ),
    "6 what a person types is pasted into a script": Defect(
        ".github/workflows/promote.yml",
        '--digest "$DIGEST"',
        "--digest ${{ inputs.digest }}",
        ZIZMOR,
    ),
    "7 there is no prod": Defect(
        "gitops/policy/promotion.yaml",
        "[dev, stage, prod]",
        "[dev, stage]",
        f"{TESTS}/test_workflow_rules.py::test_the_environments_are_three_and_in_order",
    ),
    "8 a pull request pushes images": Defect(
        CI,
        "!cancelled() && github.event_name == 'push' && github.ref == 'refs/heads/main'\n      && needs.plan.result",
        "!cancelled() && needs.plan.result",
        f"{TESTS}/test_workflows.py::test_a_pull_request_builds_and_pushes_nothing[fork]",
    ),
    "8 every job may write": Defect(CI, "permissions: {}", "permissions: write-all", ZIZMOR),
    "9 a third push cancels the second": Defect(
        CI,
        "github.event.pull_request.number || github.run_id",
        "github.ref",
        f"{TESTS}/test_workflow_rules.py::test_a_run_on_main_is_never_cancelled_by_the_next",
    ),
    "9 a push is compared with the one before": Defect(
        f"{CODE}/plan.py",
        "    build = recorded.inputs != inputs\n",
        '    before = shop.at(shop.repository.resolve(f"{shop.commit}~1"))\n'
        "    build = before.inputs(service) != shop.inputs(service)\n",
        f"{TESTS}/test_plan.py::test_next_run_builds_what_a_cancelled_run_did_not",
    ),
    "10 a late run takes dev back": Defect(
        f"{CODE}/changes.py",
        "    newer = _newer(main, recorded, built.commit, built.commit)\n",
        "    newer = None\n",
        f"{TESTS}/test_release.py::test_a_run_that_finishes_late_does_not_take_dev_back",
    ),
    "10 a lost race is won by force": Defect(
        f"{CODE}/git.py",
        'PUSH = ("--porcelain",',
        'PUSH = ("--force", "--porcelain",',
        f"{TESTS}/test_release.py::test_rejected_push_is_computed_again_and_never_forced",
    ),
    "10 a lost race is given up": Defect(
        f"{CODE}/git.py",
        "ATTEMPTS = 30",
        "ATTEMPTS = 1",
        f"{TESTS}/test_release.py::test_rejected_push_is_computed_again_and_never_forced",
    ),
    "11 a change of a chart runs nothing": Defect(
        f"{CODE}/plan.py",
        'folders = ["helm", "gitops", "tools"]',
        "folders = []",
        f"{TESTS}/test_plan.py::test_an_edit_leads_to_exactly_what_it_affects[values of an environment]",
    ),
    "12 a lint that cannot fail": Defect(
        "Makefile",
        "/ruff check .",
        "/ruff check --exit-zero .",
        f"{TESTS}/test_workflow_rules.py::test_make_hides_no_failure_either",
    ),
    "12 a skipped job counts as a success": Defect(
        f"{CODE}/gate.py",
        'if result == "skipped" and job not in skippable:',
        "if False:",
        f"{TESTS}/test_gate.py::test_a_run_that_did_not_do_what_the_plan_said_fails",
    ),
    "13 a release names a mutable tag": Defect(
        f"{CODE}/plan.py",
        'f"sha-{commit[:12]}"',
        '"latest"',
        f"{TESTS}/test_release.py::test_a_release_records_what_was_built",
    ),
    "13 images are not signed": Defect(
        PUBLISH,
        'cosign sign --yes "$IMAGE@$DIGEST"',
        'echo "$IMAGE@$DIGEST"',
        f"{TESTS}/test_workflow_rules.py::test_only_scanned_attested_and_signed_images_are_released",
    ),
    "13 an image is signed because a tag names it": Defect(
        "tools/b2cctl/publish-image",
        '[ "$tagged" != "$digest" ]',
        "false",
        f"{TESTS}/test_publish_image.py::test_tag_of_another_image_fails_and_stays",
    ),
    "13 images are not scanned": Defect(
        PUBLISH,
        "--fail-on high",
        "",
        f"{TESTS}/test_workflow_rules.py::test_only_scanned_attested_and_signed_images_are_released",
    ),
    "14 an action is not pinned": Defect(
        CI, "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "actions/checkout@v7", ZIZMOR
    ),
    "14 a checkout leaves its token beside the build": Defect(
        ".github/workflows/_build-image.yml", "persist-credentials: false", "persist-credentials: true", ZIZMOR
    ),
}


def copy_of_the_repository(folder):
    for pattern in NEEDED:
        for path in ROOT.glob(pattern):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target)
            else:
                shutil.copy(path, target)
    return folder


def look(folder, seen_by):
    """Run the check on a copy of the repository; return its exit code and output."""
    if seen_by == ZIZMOR:
        command = [BIN / "zizmor", "--offline", "--no-progress", "--persona", "auditor", ".github"]
    else:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command += ["--import-mode=importlib", "-c", os.devnull, "--rootdir", folder, seen_by]
    # The copy comes first on the path. No pytest plugin is needed; loading them would take half of the time.
    env = os.environ | {"PYTHONPATH": str(folder / "tools/b2cctl/src"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS)
def test_planted_defect_fails_its_test(defect, tmp_path):
    # given the repository with the defect planted
    folder = copy_of_the_repository(tmp_path)
    text = (folder / defect.file).read_text()
    assert text.count(defect.sound) >= 1, "the table is out of date"
    (folder / defect.file).write_text(text.replace(defect.sound, defect.planted))

    # when
    code, said = look(folder, defect.seen_by)

    # then the test fails by its assertion, or zizmor by its finding, and not for another reason
    if defect.seen_by == ZIZMOR:
        assert code in (11, 12, 13, 14), said
    else:
        assert code == 1, said  # 2 or more: the test could not be collected
