import json

import pytest
from click.testing import CliRunner

from b2cctl.__main__ import cli

EVERYTHING = {"test": '[{"name": "repository"}]', "build": '[{"service": "user-service"}]', "release": "true"}
NOTHING = {"test": "[]", "build": "[]", "release": "false"}
CHART_ONLY = EVERYTHING | {"build": "[]"}
PUSHED = {
    "plan": "success",
    "lint": "success",
    "test": "success",
    "browser": "success",
    "build": "success",
    "publish": "success",
    "release": "success",
}
ASKED = PUSHED | {"publish": "skipped", "release": "skipped"}
IDLE = {
    "plan": "success",
    "lint": "success",
    "test": "skipped",
    "browser": "skipped",
    "build": "skipped",
    "publish": "skipped",
    "release": "skipped",
}


def gate(event, results, outputs):
    needs = {job: {"result": result, "outputs": {}} for job, result in results.items()}
    needs["plan"]["outputs"] = outputs
    result = CliRunner().invoke(cli, ["gate"], env={"NEEDS": json.dumps(needs), "GITHUB_EVENT_NAME": event})
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("event", "results", "outputs"),
    [
        ("push", PUSHED, EVERYTHING),
        ("push", PUSHED | {"build": "skipped", "publish": "skipped"}, CHART_ONLY),
        ("push", IDLE, NOTHING),
        ("pull_request", ASKED, EVERYTHING),
        ("pull_request", IDLE, NOTHING),
    ],
)
def test_a_run_that_did_what_the_plan_said_passes(event, results, outputs):
    assert gate(event, results, outputs) == (0, "every job did what the plan said\n")


@pytest.mark.parametrize(
    ("event", "results", "outputs", "complaint"),
    [
        ("push", PUSHED | {"test": "skipped"}, EVERYTHING, "test was skipped, and the plan does not say so"),
        ("push", PUSHED | {"browser": "skipped"}, EVERYTHING, "browser was skipped, and the plan does not say so"),
        ("push", PUSHED | {"build": "skipped"}, EVERYTHING, "build was skipped"),
        ("push", PUSHED | {"publish": "skipped"}, EVERYTHING, "publish was skipped"),
        ("push", PUSHED | {"release": "skipped"}, EVERYTHING, "release was skipped"),
        ("push", PUSHED | {"release": "skipped", "publish": "skipped"}, CHART_ONLY, "release was skipped"),
        ("push", PUSHED | {"lint": "skipped"}, EVERYTHING, "lint was skipped"),
        ("push", PUSHED | {"publish": "failure"}, EVERYTHING, "publish: failure"),
        ("push", PUSHED | {"test": "cancelled"}, EVERYTHING, "test: cancelled"),
        ("push", IDLE | {"plan": "failure"}, {}, "plan: failure"),
        ("push", IDLE | {"plan": "skipped"}, NOTHING, "plan was skipped"),
        ("push", IDLE, {}, "test was skipped"),
        ("pull_request", ASKED | {"build": "skipped"}, EVERYTHING, "build was skipped"),
        ("pull_request", ASKED | {"build": "failure"}, EVERYTHING, "build: failure"),
    ],
)
def test_a_run_that_did_not_do_what_the_plan_said_fails(event, results, outputs, complaint):
    code, said = gate(event, results, outputs)

    assert code == 1
    assert complaint in said
