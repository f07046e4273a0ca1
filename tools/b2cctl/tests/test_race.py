"""Thirty pipelines release concurrently, some are killed, and people push meanwhile."""

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

WRITERS = 30
KILLED = 6
NOTES = [f"docs/note-{number}.md" for number in range(3)]
FILES = {
    "user-service": "services/user-service/user_service/login.py",
    "order-service": "services/order-service/app.py",
}


def git(clone, *arguments, check=True):
    return subprocess.run(["git", "-C", clone, *arguments], check=check, capture_output=True, text=True)


def clone_for(world, name):
    folder = world.clone.parent / name / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", world.bare, folder], check=True)
    return folder


def start_release(clone, number, commit, services):
    """Start a pipeline whose image digest is its number."""
    for service in services:
        (clone.parent / f"{service}.digest").write_text(f"sha256:{number:064x}")
    command = [sys.executable, "-m", "b2cctl", "-C", clone, "release", "--digests", clone.parent]
    command += ["--commit", commit, "--run", f"https://example.com/{number}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def kill_half_way(running):
    """Kill each pipeline after it has fetched main, before or during its push."""
    waiting = dict(running)
    while waiting:
        for clone, process in list(waiting.items()):
            if (clone / ".git" / "refs" / "b2cctl" / "main").exists() or process.poll() is not None:
                process.kill()
                del waiting[clone]
        time.sleep(0.002)


def push_like_a_person(clone, names):
    """Commit and push repeatedly; rebase after a rejected push."""
    for name in names:
        Path(clone, name).parent.mkdir(exist_ok=True)
        Path(clone, name).write_text("note\n")
        git(clone, "add", "-A")
        git(clone, "commit", "--quiet", "-m", f"Note {name}")
        while git(clone, "push", "--quiet", "origin", "HEAD:main", check=False).returncode:
            git(clone, "pull", "--quiet", "--rebase", "origin", "main")
        time.sleep(0.2)


def recorded_numbers(world, service):
    """Return the image numbers of all versions of a release file on main, oldest first."""
    path = f"gitops/envs/dev/releases/{service}.yaml"
    commits = world.git("log", "--reverse", "--format=%H", "FETCH_HEAD", "--", path).split()
    texts = [world.git("show", f"{commit}:{path}") for commit in commits]
    return [int(yaml.safe_load(text)["image"]["digest"].removeprefix("sha256:"), 16) for text in texts]


def test_thirty_releases_at_once_lose_nothing_and_never_go_back(world):
    # given thirty pushes, each of one service or both, and a remote that refuses every rewrite
    rng = random.Random(4)
    pushes = {}
    for number in range(1, WRITERS + 1):
        services = rng.choice([["user-service"], ["order-service"], [*FILES]])
        pushes[number] = (world.commit({FILES[service]: str(number) for service in services}), services)
    world.git("push", "--quiet", "origin", "HEAD:main")
    git(world.bare, "config", "receive.denyNonFastForwards", "true")
    start = world.git("rev-parse", "HEAD")
    newest = {each: max(number for number, (_, services) in pushes.items() if each in services) for each in FILES}

    # when their pipelines run in any order, some of them are killed, and people push
    numbers = rng.sample(list(pushes), WRITERS)
    doomed = [number for number in numbers if number not in newest.values()][:KILLED]
    clones = {number: clone_for(world, f"runner-{number}") for number in numbers}
    person = clone_for(world, "person")
    running = {number: start_release(clones[number], number, *pushes[number]) for number in numbers}
    with ThreadPoolExecutor() as threads:
        people = threads.submit(push_like_a_person, person, NOTES)
        threads.submit(kill_half_way, {clones[number]: running[number] for number in doomed}).result()
        said = {number: process.communicate(timeout=120)[0] for number, process in running.items()}
        people.result()

    # then every other pipeline succeeded, and some were killed
    failed = {number for number, process in running.items() if process.returncode}
    assert {number: said[number] for number in failed - set(doomed)} == {}
    assert failed & set(doomed)

    # and dev went forward only, up to the newest release of each service
    world.git("fetch", "--quiet", "origin", "main")
    for service, number in newest.items():
        recorded = recorded_numbers(world, service)[1:]
        assert recorded == sorted(set(recorded))
        assert recorded[-1] == number

    # and no commit of main is lost: neither the first pushes nor those of people meanwhile
    world.git("merge-base", "--is-ancestor", start, "FETCH_HEAD")
    assert set(NOTES) <= set(world.git("ls-tree", "--name-only", "FETCH_HEAD", "docs/").split())
    assert world.git("log", "--merges", "--format=%H", f"{start}..FETCH_HEAD") == ""
    git(world.bare, "fsck", "--strict")
