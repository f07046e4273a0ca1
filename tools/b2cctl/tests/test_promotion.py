import json
import re

import pytest

LOGIN = "services/user-service/user_service/login.py"


def test_release_is_promoted_to_stage_and_prod_unchanged(world):
    # when
    world.promote("dev", "stage")
    world.promote("stage", "prod")

    # then
    dev, stage, prod = (world.recorded(env, "user-service") for env in ("dev", "stage", "prod"))
    assert stage == dev | {"promotedFrom": {"env": "dev", "commit": world.git("rev-parse", "HEAD~2")}}
    assert prod == dev | {"promotedFrom": {"env": "stage", "commit": world.git("rev-parse", "HEAD~1")}}


def test_a_promotion_prints_the_difference(world):
    world.promote("dev", "stage")
    world.push({LOGIN: "x"})
    world.release({"user-service": "c"})

    said = world.promote("dev", "stage", "user-service")

    assert f"-  digest: {world.digest('a')}\n" in said
    assert f"+  digest: {world.digest('c')}\n" in said


def test_only_the_named_service_is_promoted(world):
    world.promote("dev", "stage", "user-service")

    assert world.git("diff", "--name-only", "HEAD~1", "HEAD") == "gitops/envs/stage/releases/user-service.yaml"


def test_promoting_twice_makes_no_second_commit(world):
    world.promote("dev", "stage")
    before = world.git("rev-parse", "HEAD")

    assert "stage records this already" in world.promote("dev", "stage")
    assert world.git("rev-parse", "HEAD") == before


def hold(world, env):
    world.push({LOGIN: "x"})
    world.release({"user-service": "c"})
    if env == "stage":
        world.promote("dev", "stage")
    world.b2cctl("rollback", env, "user-service", "--reason", "Too slow", "--direct")


def move_the_owner(world):
    world.push({"gitops/policy/shop.yaml": "owner: someone\nrepo: b2c-shop\nregistry: ghcr.io\n"})


def take_dev_back(world):
    world.push({LOGIN: "x"})
    world.release({"user-service": "c"})
    world.promote("dev", "stage")
    world.b2cctl("rollback", "dev", "user-service", "--reason", "Slow")
    world.b2cctl("unhold", "dev", "user-service")


@pytest.mark.parametrize(
    ("given", "arguments", "reason"),
    [
        (None, ["dev", "prod"], "dev to prod is no step of gitops/policy/promotion.yaml: dev to stage, stage to prod"),
        (None, ["stage", "dev"], "stage to dev is no step"),
        (None, ["stage", "prod"], "stage records no release of order-service"),
        (None, ["dev", "stage", "mail-service"], "dev records no release of mail-service"),
        (lambda world: hold(world, "dev"), ["dev", "stage"], "user-service is held in dev: Too slow"),
        (lambda world: hold(world, "stage"), ["dev", "stage"], "user-service is held in stage: Too slow"),
        (move_the_owner, ["dev", "stage"], "but this shop's image is ghcr.io/someone/order-service"),
        (take_dev_back, ["dev", "stage"], "of user-service: to go back, roll back"),
    ],
)
def test_a_promotion_without_evidence_is_refused_with_the_reason(world, given, arguments, reason):
    # given
    world.promote("dev", "stage") if given else None
    if given:
        given(world)
        world.pull()
    before = world.git("ls-tree", "-r", "origin/main")

    # when, then
    assert reason in world.refusal("promote", "--skip-attestation", *arguments)
    world.pull()
    assert world.git("ls-tree", "-r", "origin/main") == before


def test_a_promotion_of_another_image_than_the_source_runs_is_refused(world):
    said = world.refusal("promote", "--skip-attestation", "dev", "stage", "user-service", "--digest", world.digest("f"))

    assert f"dev runs user-service {world.digest('a')}, not {world.digest('f')}" in said


def test_only_an_image_that_our_own_workflow_built_is_promoted(world, gh):
    calls = gh()

    world.b2cctl("promote", "dev", "stage", "user-service")

    image, rest = calls.read_text().splitlines()[0].split(" --repo ")
    assert image == f"attestation verify oci://ghcr.io/example-shop/user-service@{world.digest('a')}"
    slug, _, signer, *source = rest.split()
    assert slug == "example-shop/b2c-shop"
    commit = world.recorded("dev", "user-service")["sourceSha"]
    assert source == ["--source-ref", "refs/heads/main", "--source-digest", commit]
    workflow = "https://github.com/Example-Shop/b2c-shop/.github/workflows/_publish-image.yml@refs/heads/main"
    assert re.search(signer, workflow)
    for other in (workflow + "-2", workflow.replace("main", "topic"), workflow.replace("github.com", "githubxcom")):
        assert not re.search(signer, other)


def test_image_without_attestation_is_not_promoted(world, gh):
    gh("echo 'no attestation' >&2; exit 1")

    assert "gh attestation: no attestation" in world.refusal("promote", "dev", "stage")


def pushed_branch(world):
    """Return the only branch besides main."""
    names = world.git("ls-remote", "--heads", "origin", "b2cctl/*").split()[1::2]
    assert len(names) == 1
    return names[0].removeprefix("refs/heads/")


def test_promotion_by_pull_request_does_not_change_main(world, gh):
    calls = gh()
    before = world.git("ls-remote", "origin", "main")

    world.b2cctl("promote", "dev", "stage")

    assert world.git("ls-remote", "origin", "main") == before
    branch = pushed_branch(world)
    world.git("fetch", "--quiet", "origin", branch)
    assert world.git("diff", "--name-only", "origin/main", "FETCH_HEAD").splitlines() == [
        "gitops/envs/stage/releases/order-service.yaml",
        "gitops/envs/stage/releases/user-service.yaml",
    ]
    assert f"pr create --base main --head {branch} --title Promote all services to stage" in calls.read_text()


def three_releases(world):
    for letter in "cde":
        world.push({LOGIN: letter})
        world.release({"user-service": letter})


def test_a_rollback_returns_image_and_chart_together(world):
    # given a release that changed image and chart
    before = world.recorded("dev", "user-service")
    world.push({LOGIN: "x", "helm/user-service/values.yaml": "port: 2\n"})
    world.release({"user-service": "c"})

    # when
    said = world.b2cctl("rollback", "dev", "user-service", "--reason", "Broken")

    # then
    assert world.recorded("dev", "user-service") == before | {"hold": True, "reason": "Broken"}
    assert "+hold: true" in said


def test_a_second_rollback_goes_one_further_back(world):
    three_releases(world)

    for expected in "dca":
        world.b2cctl("rollback", "dev", "user-service", "--reason", "Still broken")
        assert world.image("dev", "user-service") == world.digest(expected)

    assert "dev never ran another user-service" in world.refusal("rollback", "dev", "user-service", "--reason", "More")


def test_a_rollback_can_name_the_commit(world):
    wanted = world.git("rev-parse", "HEAD")
    three_releases(world)

    world.b2cctl("rollback", "dev", "user-service", "--to", wanted, "--reason", "All of it was bad")

    assert world.image("dev", "user-service") == world.digest("a")


def test_a_rollback_to_a_commit_before_any_release_is_refused(world):
    assert "dev never ran another user-service as of HEAD~1" in world.refusal(
        "rollback", "dev", "user-service", "--to", "HEAD~1", "--reason", "Odd"
    )


def test_rollback_without_a_reason_is_refused(world):
    three_releases(world)

    assert "reason" in world.refusal("rollback", "dev", "user-service", "--reason", "")


def test_unhold_of_a_service_without_hold_is_refused(world):
    assert "user-service is not held in dev" in world.refusal("unhold", "dev", "user-service")


def test_status_shows_what_runs_where_and_since_when(world, monkeypatch):
    # given
    since = world.git("log", "-1", "--format=%cI", "HEAD")
    world.promote("dev", "stage", "user-service")
    three_releases(world)
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2031-02-03T04:05:06+00:00")
    world.b2cctl("rollback", "dev", "user-service", "--to", "HEAD~5", "--reason", "Broken")
    world.pull()

    # when
    rows = {(row["env"], row["service"]): row for row in json.loads(world.b2cctl("status", "--json"))}

    # then
    assert sorted(rows) == [("dev", "order-service"), ("dev", "user-service"), ("stage", "user-service")]
    image = f"ghcr.io/example-shop/user-service@{world.digest('a')}"
    assert (rows["stage", "user-service"]["image"], rows["stage", "user-service"]["held"]) == (image, "")
    assert (rows["dev", "user-service"]["image"], rows["dev", "user-service"]["held"]) == (image, "Broken")
    assert rows["dev", "user-service"]["since"] == "2031-02-03T04:05+00:00"
    assert rows["dev", "order-service"]["since"][:16] == since[:16]
    assert "held Broken" in world.b2cctl("status")
