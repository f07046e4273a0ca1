import json
from dataclasses import dataclass, field

import pytest

BOTH = {"user-service", "order-service"}
ALL_SUITES = {"chassis", "order-service", "user-service", "charts", "repository"}
LOGIN = "services/user-service/user_service/login.py"


@dataclass
class Case:
    """An edit of a released shop and the expected plan."""

    files: dict[str, str | None]
    build: set[str] = field(default_factory=set)
    chart: set[str] = field(default_factory=set)
    test: set[str] = field(default_factory=set)


USER = {"build": {"user-service"}, "test": {"user-service", "repository"}}
ORDER = {"build": {"order-service"}, "test": {"order-service", "repository"}}
LIB = {"build": BOTH, "test": {"chassis", "order-service", "user-service", "repository"}}
WORLD_ONLY = {"test": {"repository"}}
CHARTS = {"test": {"charts", "repository"}}

CASES = {
    "a source file of one service": Case({LOGIN: "x"}, **USER),
    "a source file of the other service": Case({"services/order-service/app.py": "x"}, **ORDER),
    "both services at once": Case(
        {LOGIN: "x", "services/order-service/app.py": "x"}, BOTH, test={"user-service", "order-service", "repository"}
    ),
    "the chassis": Case({"libs/chassis/src/chassis/__init__.py": "x"}, **LIB),
    "a new module of the chassis": Case({"libs/chassis/src/chassis/auth/tokens.py": "x"}, **LIB),
    "the manifest of the chassis": Case(
        {"libs/chassis/pyproject.toml": '[project]\nname = "chassis"\nversion="2"'}, **LIB
    ),
    "a dependency pin of one service": Case({"services/user-service/requirements.txt": "flask==3.2.0\n"}, **USER),
    "a pin that both have": Case(
        {f"services/{name}/requirements.txt": "flask==3.2.0\n" for name in BOTH},
        BOTH,
        test={"user-service", "order-service", "repository"},
    ),
    "a Dockerfile": Case({"services/user-service/Dockerfile": "FROM scratch AS x\n"}, **USER),
    "a .dockerignore": Case({"services/user-service/.dockerignore": "tests\n"}, **USER),
    "a migration": Case({"services/order-service/migrations/versions/0002_more.py": "x"}, **ORDER),
    "a deleted source file": Case({"services/user-service/app.py": None}, **USER),
    "a service that moves to another library": Case(
        {
            "libs/auth/pyproject.toml": '[project]\nname = "auth"\n',
            "services/user-service/pyproject.toml": '[tool.uv.sources]\nauth = { path = "../../libs/auth" }\n',
        },
        {"user-service"},
        test={"auth", "user-service", "repository"},
    ),
    "a library that nobody uses": Case({"libs/spare/pyproject.toml": ""}, test={"spare", "repository"}),
    "tests of a service": Case({"services/user-service/tests/test_app.py": "x"}, test={"user-service", "repository"}),
    "tests of the chassis": Case(
        {"libs/chassis/tests/test_chassis.py": "x"}, test={"chassis", "user-service", "order-service", "repository"}
    ),
    "tests of the whole": Case({"tests/test_walk.py": "x"}, **WORLD_ONLY),
    "documents": Case({"docs/adr/0001.md": "x", "README.md": "x"}, **WORLD_ONLY),
    "the README of a service": Case({"services/user-service/README.md": "x"}, test={"user-service", "repository"}),
    "a template of one chart": Case(
        {"helm/user-service/templates/deployment.yaml": "x"}, chart={"user-service"}, **CHARTS
    ),
    "the library chart": Case({"helm/b2c-common/templates/_pod.tpl": "x"}, chart=BOTH, **CHARTS),
    "tests of the charts": Case({"helm/tests/test_render.py": "x"}, **CHARTS),
    "tests and README of one chart": Case(
        {"helm/user-service/tests/test_one.py": "x", "helm/user-service/README.md": "x"}, **CHARTS
    ),
    "values of an environment": Case({"gitops/envs/prod/values/user-service.yaml": "replicas: 2\n"}, **CHARTS),
    "a service and its chart": Case(
        {LOGIN: "x", "helm/user-service/values.yaml": "x"},
        {"user-service"},
        {"user-service"},
        {"user-service", "charts", "repository"},
    ),
    "a workflow": Case({".github/workflows/ci.yml": "x"}, **WORLD_ONLY),
    "the compose file": Case({"docker-compose.yml": "x"}, **WORLD_ONLY),
    "the pipeline's own code": Case({"tools/b2cctl/src/b2cctl/__init__.py": "x"}, **CHARTS),
    "the test tools": Case({"requirements-dev.txt": "pytest==9.1.0\n"}, test=ALL_SUITES),
    "a name that only begins like a service": Case({"services/user-service-2/notes.txt": "x"}, **WORLD_ONLY),
    "nothing at all": Case({}),
}


def planned(world, commit="HEAD"):
    found = json.loads(world.b2cctl("plan", "--json", "--commit", commit))
    return (
        {each["service"] for each in found["build"]},
        {each["service"] for each in found["services"] if each["chart"]},
        {suite["name"] for suite in found["test"]},
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_edit_leads_to_exactly_what_it_affects(world, case):
    # given a released shop, when a person edits files
    world.commit(case.files)

    # then
    assert planned(world) == (case.build, case.chart, case.test)


def test_the_first_run_builds_and_tests_everything(empty_world):
    assert planned(empty_world) == (BOTH, BOTH, ALL_SUITES)


def test_a_release_commit_plans_nothing(world):
    # given the commit that recorded a release, when it is planned
    # then it plans nothing, so releases cannot loop
    assert planned(world, "HEAD") == (set(), set(), set())


def test_a_promotion_and_a_rollback_plan_nothing(world):
    world.promote("dev", "stage")
    world.push({LOGIN: "x"})
    world.release({"user-service": "c"})
    world.b2cctl("rollback", "stage", "user-service", "--direct", "--to", "HEAD~2", "--reason", "Slow")
    world.pull()

    assert planned(world) == (set(), set(), set())


def test_a_revert_before_the_release_plans_nothing(world):
    # given
    before = world.git("rev-parse", "HEAD")
    world.commit({LOGIN: "x"})

    # when
    world.git("revert", "--no-edit", "HEAD")

    # then
    assert world.git("rev-parse", "HEAD") != before
    assert planned(world) == (set(), set(), set())


def test_a_revert_after_the_release_builds_again(world):
    world.push({LOGIN: "x"})
    world.release({"user-service": "c"})

    world.commit({LOGIN: None})

    assert planned(world)[0] == {"user-service"}


def test_revert_pushed_during_its_release_converges(world):
    # given a change whose build is still running, and its revert, which found nothing to do
    changed = world.push({LOGIN: "x"})
    world.push({LOGIN: None})
    assert planned(world)[0] == set()

    # when the change is released later
    world.release({"user-service": "c"}, changed)

    # then the run of that release commit builds the state of main
    assert planned(world)[0] == {"user-service"}


def test_next_run_builds_what_a_cancelled_run_did_not(world):
    # given a push whose run was cancelled before its release
    world.push({LOGIN: "x"})

    # when another service is pushed
    world.push({"services/order-service/app.py": "x"})

    # then both are built
    assert planned(world)[0] == BOTH


def test_a_failed_test_keeps_its_suite_in_the_plan(world):
    world.push({"services/user-service/tests/test_app.py": "assert False"})
    world.push({"docs/adr/0001.md": "x"})

    assert planned(world)[2] == {"user-service", "repository"}


def test_force_push_over_the_released_commit_builds_what_differs(world):
    # given a release of an image and a chart
    start = world.git("rev-parse", "HEAD")
    released = world.push({LOGIN: "x", "helm/user-service/values.yaml": "x"})
    world.release({"user-service": "c"})
    records = world.git("show", "HEAD:gitops/envs/dev/releases/user-service.yaml")

    # when main is rewritten without that commit, but with its record, in a clone that never saw it
    world.git("reset", "--quiet", "--hard", start)
    world.commit({"gitops/envs/dev/releases/user-service.yaml": records + "\n", "docs/adr/0001.md": "x"})
    world.git("reflog", "expire", "--expire=now", "--all")
    world.git("update-ref", "-d", "refs/remotes/origin/main")
    world.git("update-ref", "-d", "refs/b2cctl/main")
    (world.clone / ".git" / "FETCH_HEAD").unlink()
    world.git("gc", "--quiet", "--prune=now")

    # then
    assert released not in world.git("cat-file", "--batch-check", "--batch-all-objects")
    assert planned(world)[:2] == ({"user-service"}, {"user-service"})
    assert "its inputs are not the recorded ones; its chart changed" in world.b2cctl("plan")


def test_a_released_chart_is_not_tested_again(world):
    world.push({"helm/user-service/values.yaml": "x"})

    world.release({})

    assert planned(world) == (set(), set(), set())


def test_an_image_is_built_again_when_a_file_becomes_executable(world):
    (world.clone / "services/user-service/app.py").chmod(0o755)
    world.commit({})

    assert planned(world)[0] == {"user-service"}


def test_the_plan_says_why(world):
    world.commit({LOGIN: "x", "libs/chassis/src/chassis/__init__.py": "x"})

    table = world.b2cctl("plan")

    assert "| user-service | yes | no | libs/chassis/src/chassis/__init__.py changed and 1 more |" in table
    assert "| order-service | yes | no | libs/chassis/src/chassis/__init__.py changed |" in table
    assert "Tests: chassis, order-service, user-service, repository" in table


def test_the_plan_hands_its_outcome_to_the_workflow(world, tmp_path):
    commit = world.commit({LOGIN: "x"})
    outputs, summary = tmp_path / "outputs", tmp_path / "summary"

    world.b2cctl("plan", "--outputs", str(outputs), "--summary", str(summary))

    found = {key: json.loads(value) for key, value in (line.split("=", 1) for line in outputs.read_text().splitlines())}
    assert found == {
        "build": [
            {"service": "user-service", "image": "ghcr.io/example-shop/user-service", "tag": f"sha-{commit[:12]}"}
        ],
        "test": [
            {"name": "user-service", "paths": "services/user-service"},
            {"name": "repository", "paths": "tests tools"},
        ],
        "release": True,
        "epoch": int(world.git("show", "-s", "--format=%ct", commit)),
    }
    assert "| user-service | yes |" in summary.read_text()


def test_plan_refuses_a_fork_whose_policy_names_another_owner(world):
    assert "this is someone/b2c-shop, but gitops/policy/shop.yaml says example-shop/b2c-shop" in world.refusal(
        "plan", "--slug", "someone/b2c-shop"
    )


@pytest.mark.parametrize(("owner", "slug"), [("AcmeCorp", "acmecorp/Shop"), ("acmecorp", "AcmeCorp/shop")])
def test_capitals_of_the_owner_make_no_difference_and_no_image_name(world, owner, slug):
    world.push({"gitops/policy/shop.yaml": f'owner: "{owner}"\nrepo: "shop"\nregistry: ghcr.io\n', LOGIN: "x"})

    world.b2cctl("plan", "--slug", slug)
    world.release({"user-service": "c"})

    assert world.recorded("dev", "user-service")["image"]["repository"] == "ghcr.io/acmecorp/user-service"
    world.promote("dev", "stage", "user-service")


@pytest.mark.parametrize("policy", ["owner: 0123\nrepo: shop\nregistry: ghcr.io\n", "owner: acme\n", "- acme\n"])
def test_policy_that_names_no_owner_is_refused(world, policy):
    world.commit({"gitops/policy/shop.yaml": policy})

    assert "gitops/policy/shop.yaml should hold" in world.refusal("plan", "--slug", "acme/shop")


@pytest.mark.parametrize("name", ["Mail-Service", "mail_service", "mail.service", "4mail", "m" * 54])
def test_service_whose_name_is_no_image_name_is_refused(world, name):
    world.commit({f"services/{name}/pyproject.toml": ""})

    assert f"services/{name}: the name becomes that of an image" in world.refusal("plan")
