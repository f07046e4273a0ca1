"""The clones, settings and file names that people have change nothing of what b2cctl answers."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from b2cctl import git
from b2cctl.git import Refused, Repository

LOGIN = "services/user-service/user_service/login.py"
RELEASE = "gitops/envs/dev/releases/user-service.yaml"


def shallow(world):
    """A clone of the newest commit alone, as actions/checkout makes it."""
    clone = world.clone.with_name("shallow")
    subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{world.bare}", clone], check=True)
    return replace(world, clone=clone)


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["status"],
        ["promote", "stage", "prod", "--skip-attestation", "--direct"],
        ["rollback", "prod", "user-service", "--reason", "Slow", "--direct"],
        ["unhold", "prod", "user-service", "--direct"],
        ["guard", "--base", "HEAD", "--head", "HEAD"],
        ["release", "--digests", ".", "--run", "https://example.com/1"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_shallow_clone_is_refused_and_nothing_is_pushed(shipped, arguments):
    before = shipped.git("ls-remote", "origin")

    assert "this clone is shallow, and history decides: run `git fetch --unshallow`" in shallow(shipped).refusal(
        *arguments
    )
    assert shipped.git("ls-remote", "origin") == before


def test_promotion_from_a_deepened_clone_works(shipped):
    clone = shallow(shipped)
    clone.git("fetch", "--quiet", "--unshallow")

    clone.promote("dev", "stage", "user-service")

    assert shipped.image("stage", "user-service") == shipped.digest("c")


def test_failure_of_git_is_not_taken_for_missing_history(world):
    # given a clone whose objects cannot be read
    commit = world.git("rev-parse", "HEAD")
    repository = Repository(world.clone)
    (world.clone / ".git" / "objects").rename(world.clone / ".git" / "unreadable")

    # when, then
    for ask in (lambda: repository.has(commit), lambda: repository.is_ancestor(commit, commit)):
        with pytest.raises(Refused):
            ask()


def test_commit_that_the_clone_lacks_is_no_ancestor(world):
    repository = Repository(world.clone)
    head = world.git("rev-parse", "HEAD")

    assert not repository.has("f" * 40)
    assert not repository.is_ancestor("f" * 40, head)
    assert repository.is_ancestor(world.git("rev-parse", "HEAD~1"), head)


def test_replacement_object_does_not_change_history(shipped):
    shipped.git("replace", "--graft", "HEAD")  # the newest commit now seems to have no parent

    shipped.b2cctl("rollback", "stage", "user-service", "--reason", "Slow", "--direct")

    assert shipped.image("stage", "user-service") == shipped.digest("a")


def test_history_is_the_same_from_a_folder_of_the_clone(shipped):
    inside = replace(shipped, clone=shipped.clone / "gitops")

    inside.b2cctl("rollback", "stage", "user-service", "--reason", "Slow", "--direct")

    assert shipped.image("stage", "user-service") == shipped.digest("a")


def test_tag_named_main_is_not_taken_for_the_branch(shipped):
    # given somebody who may push tags, and an older state of main
    shipped.git("push", "--quiet", "origin", "HEAD~1:refs/tags/main")

    # when
    shipped.promote("dev", "stage", "user-service")

    # then
    assert shipped.image("stage", "user-service") == shipped.digest("c")


def test_fetch_of_another_program_does_not_move_main(shipped, monkeypatch):
    # given an editor that fetches another branch between our fetch and our look at it
    shipped.git("push", "--quiet", "origin", "HEAD~1:refs/heads/topic")
    resolve = git.Repository.resolve

    def fetch_and_resolve(repository, revision):
        shipped.git("fetch", "--quiet", "origin", "topic")
        return resolve(repository, revision)

    monkeypatch.setattr(git.Repository, "resolve", fetch_and_resolve)

    # when
    shipped.promote("dev", "stage", "user-service")

    # then
    assert shipped.image("stage", "user-service") == shipped.digest("c")


def test_variables_of_another_repository_are_ignored(world, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(world.clone.parent / "elsewhere"))  # as inside a hook
    monkeypatch.setenv("GIT_INDEX_FILE", str(world.clone.parent / "index"))

    assert "user-service" in world.b2cctl("status")


@pytest.mark.parametrize("name", [b"caf\xe9.py", b"new\nline.py", b"\x1b[2J.py", "café.py".encode(), b"a b\t.py"])
def test_any_file_name_is_planned_and_shown_in_one_line(world, name):
    folder = world.clone / "services/user-service/user_service"
    folder.mkdir(parents=True, exist_ok=True)
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("x")
    world.commit({})

    planned = {each["service"]: each for each in json.loads(world.b2cctl("plan", "--json"))["services"]}

    (reason,) = planned["user-service"]["reasons"]
    assert planned["user-service"]["build"]
    assert reason.endswith(" changed")
    assert reason.isprintable()
    assert "user-service" in world.b2cctl("plan")


def test_file_names_that_are_not_utf_8_are_told_apart(world):
    folder = world.clone / "services/user-service"
    inputs = []
    for name in (b"caf\xe9.py", b"caf\xe8.py"):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.write_text("x")
        world.commit({})
        inputs += [each["inputs"] for each in json.loads(world.b2cctl("plan", "--json"))["services"]]
        path.unlink()

    assert len(set(inputs)) == 3  # order-service's are the same twice


def test_guard_names_a_file_that_is_not_utf_8(world):
    base = world.git("rev-parse", "HEAD")
    (world.clone / RELEASE).write_text("{")
    Path(os.fsdecode(os.fsencode(world.clone) + b"/caf\xe9.py")).write_text("x")
    head = world.commit({})

    assert "this change also touches 'caf\\xe9.py'" in world.refusal("guard", "--base", base, "--head", head)


@pytest.mark.parametrize(
    "path", ["gitops/policy/shop.yaml", RELEASE, "services/user-service/pyproject.toml", "helm/user-service/Chart.yaml"]
)
@pytest.mark.parametrize("content", [b"owner: caf\xe9\n", b"{[\n"], ids=["Latin-1", "neither YAML nor TOML"])
def test_file_that_cannot_be_read_is_refused_by_name(world, path, content):
    (world.clone / path).write_bytes(content)
    world.commit({})

    assert path in world.refusal("plan", "--slug", "example-shop/b2c-shop")


def test_reason_that_is_not_utf_8_is_refused(world):
    assert "reason" in world.refusal("rollback", "dev", "user-service", "--reason", "caf\udce9", "--to", "HEAD")


def test_only_the_branch_is_pushed_whatever_the_operators_hooks_do(world):
    # given a tag of the operator that push.followTags would send along, and a hook that looks at the working tree
    world.git("-c", "tag.gpgSign=false", "tag", "-a", "-m", "Mine", "mine")
    hook = world.clone / ".git/hooks/pre-push"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)

    world.promote("dev", "stage")

    assert world.git("ls-remote", "--tags", "origin") == ""


def test_commit_message_keeps_its_letters(world):
    world.push({LOGIN: "x"})
    world.release({"user-service": "c"})

    world.b2cctl("rollback", "dev", "user-service", "--reason", "Zu langsam für Köln")

    raw = subprocess.run(["git", "-C", world.bare, "cat-file", "commit", "main"], capture_output=True, check=True)
    assert "Zu langsam für Köln" in raw.stdout.decode()
    assert b"encoding" not in raw.stdout.split(b"\n\n")[0]


def test_missing_git_is_named(world, monkeypatch):
    monkeypatch.setenv("PATH", str(world.clone))

    assert "git is not installed" in world.refusal("status")
