import json

import pytest
import yaml

from b2cctl import git

LOGIN = "services/user-service/user_service/login.py"
CHART = "helm/user-service/values.yaml"


def test_a_release_records_what_was_built(empty_world):
    # given
    commit = empty_world.git("rev-parse", "HEAD")

    # when
    said = empty_world.release({"user-service": "a", "order-service": "b"})

    # then
    assert "order-service: released\nuser-service: released\n" in said
    inputs = {each["service"]: each["inputs"] for each in json.loads(empty_world.b2cctl("plan", "--json"))["services"]}
    assert empty_world.recorded("dev", "user-service") == {
        "schema": 1,
        "service": "user-service",
        "chartRevision": commit,
        "image": {
            "repository": "ghcr.io/example-shop/user-service",
            "tag": f"sha-{commit[:12]}",
            "digest": empty_world.digest("a"),
        },
        "inputs": inputs["user-service"],
        "sourceSha": commit,
        "runUrl": "https://github.com/example-shop/b2c-shop/actions/runs/1",
        "hold": False,
    }
    assert empty_world.image("dev", "order-service") == empty_world.digest("b")


def test_a_push_is_one_commit_with_trailers_and_nothing_but_release_files(empty_world):
    start = empty_world.git("rev-parse", "HEAD")

    empty_world.release({"user-service": "a", "order-service": "b"})

    assert empty_world.git("log", "--format=%s", f"{start}..HEAD") == "Release order-service, user-service to dev"
    assert empty_world.git("diff", "--name-only", start, "HEAD").splitlines() == [
        "gitops/envs/dev/releases/order-service.yaml",
        "gitops/envs/dev/releases/user-service.yaml",
    ]
    assert empty_world.git("log", "-1", "--format=%(trailers:key=B2c-Digest,valueonly)").split() == [
        empty_world.digest("b"),
        empty_world.digest("a"),
    ]


def test_a_service_whose_build_failed_is_left_out_and_the_rest_still_ships(world):
    # given a push that changes the chassis, and with it a chart
    world.push({"libs/chassis/src/chassis/__init__.py": "x", CHART: "x"})
    before = world.recorded("dev", "user-service")

    # when only one image was built
    world.release({"order-service": "c"})

    # then
    assert world.image("dev", "order-service") == world.digest("c")
    assert world.recorded("dev", "user-service") == before


def test_a_chart_edit_moves_the_chart_and_keeps_the_image(world):
    before = world.recorded("dev", "user-service")
    commit = world.push({CHART: "port: 2\n"})

    world.release({})

    assert world.recorded("dev", "user-service") == before | {"chartRevision": commit}


def test_a_new_image_keeps_the_chart_revision_when_the_chart_is_the_same(world):
    before = world.recorded("dev", "user-service")["chartRevision"]
    world.push({LOGIN: "x"})

    world.release({"user-service": "c"})

    assert world.recorded("dev", "user-service")["chartRevision"] == before


def test_the_same_release_twice_makes_no_second_commit(world):
    before = world.git("rev-parse", "HEAD")

    said = world.release({"user-service": "a", "order-service": "b"}, "HEAD~1")

    assert "commit: none" in said
    assert world.git("rev-parse", "HEAD") == before


def test_a_run_that_finishes_late_does_not_take_dev_back(world):
    # given two pushes, the second of which is released first
    older = world.push({LOGIN: "1"})
    world.push({LOGIN: "2"})
    newer = world.git("rev-parse", "HEAD")
    world.release({"user-service": "d"}, newer)

    # when
    said = world.release({"user-service": "c"}, older)

    # then
    assert f"user-service: stale: dev already records {newer[:12]}" in said
    assert world.image("dev", "user-service") == world.digest("d")


def test_a_late_run_does_not_take_a_chart_back_either(world):
    older = world.push({CHART: "port: 2\n"})
    newer = world.push({CHART: "port: 3\n"})
    world.release({}, newer)

    said = world.release({}, older)

    assert "user-service: stale" in said
    assert world.recorded("dev", "user-service")["chartRevision"] == newer


def test_a_commit_that_a_force_push_took_out_of_main_is_not_released(world):
    # given a commit that is not in main
    world.commit({LOGIN: "x"})

    # when, then
    assert "is not in the history of main" in world.refusal(
        "release", "--digests", str(world.clone), "--run", "https://example.com/1"
    )


def test_after_a_force_push_the_new_history_releases(world):
    # given a release of a commit that a force-push then took out of main
    before = world.git("rev-parse", "HEAD")
    world.push({LOGIN: "x"})
    world.release({"user-service": "c"})
    records = world.git("show", "HEAD:gitops/envs/dev/releases/user-service.yaml")
    world.git("reset", "--quiet", "--hard", before)
    world.commit({"gitops/envs/dev/releases/user-service.yaml": records + "\n", LOGIN: "y"})
    world.git("push", "--quiet", "--force", "origin", "HEAD:main")

    # when
    said = world.release({"user-service": "d"})

    # then
    assert "user-service: released" in said
    assert world.image("dev", "user-service") == world.digest("d")


def test_a_digest_for_an_unknown_service_is_refused(world, tmp_path):
    (tmp_path / "mail-service.digest").write_text(world.digest("c"))

    assert "no such service: mail-service" in world.refusal(
        "release", "--digests", str(tmp_path), "--run", "https://x/1"
    )


@pytest.mark.parametrize("text", ["", "latest", "sha256:abc", "sha256:" + "A" * 64, "sha256:" + "a" * 64 + "\nx"])
def test_invalid_digest_is_not_recorded(world, tmp_path, text):
    world.push({LOGIN: "x"})
    before = world.recorded("dev", "user-service")
    (tmp_path / "user-service.digest").write_text(text)

    assert "digest" in world.refusal("release", "--digests", str(tmp_path), "--run", "https://x/1")
    assert world.recorded("dev", "user-service") == before


def test_rejected_push_is_computed_again_and_never_forced(world, monkeypatch):
    # given a person who pushes between fetch and push of the pipeline, twice
    world.push({LOGIN: "x"})
    mine = world.git("rev-parse", "HEAD")
    notes = iter(["docs/1.md", "docs/2.md"])
    look = git.Repository.fetch_main

    def look_and_lose(repository):
        found = look(repository)
        if note := next(notes, None):
            world.push({note: "note"})
        return found

    monkeypatch.setattr(git.Repository, "fetch_main", look_and_lose)

    # when
    world.release({"user-service": "c"}, mine)

    # then
    assert world.git("log", "-3", "--format=%s").splitlines() == [
        "Release user-service to dev",
        "Change docs/2.md",
        "Change docs/1.md",
    ]


def test_push_that_loses_every_race_is_given_up_on(world, monkeypatch):
    monkeypatch.setattr(git, "ATTEMPTS", 2)
    monkeypatch.setattr(git.Repository, "push", lambda *_: False)

    assert "2 pushes were rejected: run the job again" in world.refusal("promote", "dev", "stage", "--skip-attestation")


def forbid_pushes(world, condition):
    """Let the remote refuse, by a rule, the pushes to the branches for which a shell condition on $ref holds."""
    hook = world.bare / "hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\nwhile read -r _ _ ref; do {condition} && exit 1; done\nexit 0\n")
    hook.chmod(0o755)


def test_release_is_proposed_where_a_rule_forbids_the_push(world, gh):
    # given a main that takes changes by pull request only
    world.push({LOGIN: "x"})
    before = world.git("rev-parse", "HEAD")
    forbid_pushes(world, '[ "$ref" = refs/heads/main ]')
    calls = gh()

    # when
    said = world.release({"user-service": "c"})

    # then
    assert "forbid this push to main" in said
    assert "user-service: released" in said
    assert world.git("ls-remote", "origin", "refs/heads/main").split()[0] == before
    branch = world.git("ls-remote", "--heads", "origin", "b2cctl/*").split()[1].removeprefix("refs/heads/")
    assert branch.startswith("b2cctl/dev-")
    assert f"pr create --base main --head {branch} --title Release user-service to dev" in calls.read_text()

    # and the guard of main lets exactly that pass, once it has seen who built the image
    world.git("fetch", "--quiet", "origin", branch)
    head = world.git("rev-parse", "FETCH_HEAD")
    assert "nothing speaks against it" in world.b2cctl("guard", "--base", before, "--head", head)
    assert f"attestation verify oci://ghcr.io/example-shop/user-service@{world.digest('c')}" in calls.read_text()


def test_rollback_of_dev_is_proposed_where_a_rule_forbids_the_push(world, gh):
    world.push({LOGIN: "x"})
    world.release({"user-service": "c"})
    forbid_pushes(world, '[ "$ref" = refs/heads/main ]')
    calls = gh()

    world.b2cctl("rollback", "dev", "user-service", "--reason", "Slow" * 100)

    title = calls.read_text().split("--title ")[1].split(" --body")[0]
    assert title.startswith("Roll back user-service in dev: SlowSlow")
    assert len(title) == 200  # GitHub takes 256 characters
    assert world.image("dev", "user-service") == world.digest("c")


def test_rule_that_forbids_even_branches_is_named(world, gh):
    forbid_pushes(world, "true")

    assert "forbid this push to b2cctl/stage-" in world.refusal("promote", "dev", "stage", "--skip-attestation")


def test_pushed_branch_is_named_when_no_pull_request_can_be_opened(world, gh):
    gh("echo 'not permitted to create pull requests' >&2; exit 1")

    said = world.refusal("promote", "dev", "stage", "--skip-attestation")

    assert "not permitted" in said
    assert "https://github.com/example-shop/b2c-shop/compare/main...b2cctl/stage-" in said


def test_a_hold_keeps_the_next_release_out_until_unhold(world):
    # given a bad release, rolled back
    world.push({LOGIN: "1"})
    world.release({"user-service": "c"})
    world.b2cctl("rollback", "dev", "user-service", "--reason", "Logins fail")
    held = world.recorded("dev", "user-service")
    assert (held["image"]["digest"], held["hold"], held["reason"]) == (world.digest("a"), True, "Logins fail")

    # when the pipeline runs again, then nothing is released
    world.push({LOGIN: "2"})
    assert "user-service: held: Logins fail" in world.release({"user-service": "d"})
    assert world.recorded("dev", "user-service") == held

    # when the hold is removed, then the next release is recorded
    world.b2cctl("unhold", "dev", "user-service")
    world.pull()
    assert world.image("dev", "user-service") == world.digest("a")
    world.release({"user-service": "d"})
    assert world.image("dev", "user-service") == world.digest("d")
    assert "reason" not in world.recorded("dev", "user-service")


def test_a_held_chart_stays_too(world):
    world.push({LOGIN: "1"})
    world.release({"user-service": "c"})
    world.b2cctl("rollback", "dev", "user-service", "--reason", "Slow")
    held = world.recorded("dev", "user-service")

    world.push({CHART: "port: 2\n", LOGIN: None})
    world.release({})

    assert world.recorded("dev", "user-service") == held


def test_a_file_of_an_unknown_form_stops_the_pipeline(world):
    path = "gitops/envs/dev/releases/user-service.yaml"
    text = (world.clone / path).read_text()
    world.push({path: text.replace("hold: false", "hold: maybe")})

    assert path in world.refusal("plan")


def test_a_commit_id_that_looks_like_a_number_stays_a_text(world):
    text = (world.clone / "gitops/envs/dev/releases/user-service.yaml").read_text()
    commit = world.recorded("dev", "user-service")["sourceSha"]

    assert f"sourceSha: '{commit}'\n" in text
    assert isinstance(yaml.safe_load(text)["sourceSha"], str)


def test_working_tree_and_index_are_not_changed(world):
    # given a clone with uncommitted changes
    (world.clone / "README.md").write_text("unfinished")
    world.git("add", "README.md")
    (world.clone / "new.txt").write_text("unfinished")
    before = world.git("status", "--porcelain")

    # when
    world.b2cctl("promote", "dev", "stage", "--skip-attestation", "--direct")

    # then
    assert world.git("status", "--porcelain") == before
    assert world.image("stage", "user-service") == world.digest("a")


def test_the_published_schema_is_the_one_that_is_checked(world, pytestconfig):
    published = pytestconfig.rootpath / "gitops" / "policy" / "release.schema.json"

    assert published.read_text() == world.b2cctl("schema"), "run: b2cctl schema > gitops/policy/release.schema.json"
