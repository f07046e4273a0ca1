"""Thirty pipelines release at the same time, some are killed half-way, and people push in between."""

import random
import subprocess
import sys
import time

import yaml

WRITERS = 30
KILLED = 6
PEOPLE = 3
LOGIN = "services/user-service/user_service/login.py"
APP = "services/order-service/app.py"


def start_release(world, number, commit, services):
    """Start a pipeline in a clone of its own, as a runner would."""
    folder = world.clone.parent / f"runner-{number}"
    subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", world.bare, folder / "clone"], check=True)
    for service in services:
        (folder / f"{service}.digest").write_text(f"sha256:{number:064x}")
    command = [sys.executable, "-m", "b2cctl", "-C", folder / "clone", "release", "--digests", folder]
    return subprocess.Popen(
        [*command, "--commit", commit, "--run", f"https://example.com/{number}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def history(world, path):
    """Every state of a file on main, oldest first, as the recorded number of its image."""
    commits = world.git("log", "--reverse", "--format=%H", "FETCH_HEAD", "--", path).split()
    texts = [world.git("show", f"{commit}:{path}") for commit in commits]
    return [int(yaml.safe_load(text)["image"]["digest"].removeprefix("sha256:"), 16) for text in texts]


def test_thirty_releases_at_once_lose_nothing_and_never_go_back(world):
    # given thirty pushes, each of one service or both, and a remote that refuses every rewrite
    rng = random.Random(4)
    affected = {}
    for number in range(1, WRITERS + 1):
        services = rng.choice([["user-service"], ["order-service"], ["user-service", "order-service"]])
        files = {"user-service": LOGIN, "order-service": APP}
        commit = world.commit({files[service]: str(number) for service in services})
        affected[number] = (commit, services)
    world.git("push", "--quiet", "origin", "HEAD:main")
    subprocess.run(["git", "-C", world.bare, "config", "receive.denyNonFastForwards", "true"], check=True)
    start = world.git("rev-parse", "HEAD")

    # when their pipelines end in any order, some of them killed, while people push
    numbers = list(affected)
    rng.shuffle(numbers)
    spared = {
        max(n for n, (_, services) in affected.items() if service in services)
        for service in ("user-service", "order-service")
    }
    doomed = [number for number in numbers if number not in spared][:KILLED]
    running = {number: start_release(world, number, *affected[number]) for number in numbers}
    for place, number in enumerate(doomed):
        time.sleep(0.15)
        running[number].kill()
        if place < PEOPLE:
            push_like_a_person(world, f"docs/note-{place}.md")
    said = {number: process.communicate(timeout=120)[0] for number, process in running.items()}

    # then every pipeline that lived ended well
    assert {
        number: said[number] for number, process in running.items() if process.returncode and number not in doomed
    } == {}
    assert sum(process.returncode != 0 for process in running.values()) > 0

    # and dev records the newest push of each service
    world.git("fetch", "--quiet", "origin", "main")
    for service in ("user-service", "order-service"):
        newest = max(number for number, (_, services) in affected.items() if service in services)
        recorded = history(world, f"gitops/envs/dev/releases/{service}.yaml")[1:]
        assert recorded[-1] == newest
        assert recorded == sorted(set(recorded)), "history went back"

    # and nothing that was on main is lost, people's commits included
    world.git("merge-base", "--is-ancestor", start, "FETCH_HEAD")
    names = world.git("ls-tree", "--name-only", "FETCH_HEAD", "docs/").split()
    assert {f"docs/note-{place}.md" for place in range(PEOPLE)} <= set(names)
    assert "1 parents" not in {
        f"{len(line.split())} parents"
        for line in world.git("log", "--format=%P", f"{start}..FETCH_HEAD").splitlines()
        if len(line.split()) != 1
    }
    subprocess.run(["git", "-C", world.bare, "fsck", "--strict"], check=True, capture_output=True)


def push_like_a_person(world, name):
    """Commit on a clone of one's own; when somebody was faster, rebase and push again."""
    clone = world.clone.parent / "person"
    if not clone.exists():
        subprocess.run(["git", "clone", "--quiet", "--shared", world.bare, clone], check=True)
    (clone / name).parent.mkdir(exist_ok=True)
    (clone / name).write_text("note\n")
    subprocess.run(["git", "-C", clone, "add", "-A"], check=True)
    subprocess.run(["git", "-C", clone, "commit", "--quiet", "-m", f"Note {name}"], check=True)
    for _ in range(50):
        if (
            subprocess.run(
                ["git", "-C", clone, "push", "--quiet", "origin", "HEAD:main"], capture_output=True, check=False
            ).returncode
            == 0
        ):
            return
        subprocess.run(["git", "-C", clone, "pull", "--quiet", "--rebase", "origin", "main"], check=True)
    raise AssertionError("a person could not push")
