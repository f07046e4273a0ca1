"""The whole life of a change with git alone; `make e2e-containers` tests it with a registry."""

import hashlib
import json

LOGIN = "services/user-service/user_service/login.py"


def build_what_is_planned(world, build):
    """Act as the pipeline after a push: plan, build, release; return the built services."""
    planned = json.loads(world.b2cctl("plan", "--json"))
    folder = world.clone.parent / f"built-{planned['commit']}"
    folder.mkdir()
    for image in planned["build"]:
        (folder / f"{image['service']}.digest").write_text(build(f"{image['image']}:{image['tag']}"))
    world.b2cctl("release", "--digests", str(folder), "--run", "https://example.com/1")
    world.pull()
    return [image["service"] for image in planned["build"]]


def digest_of(reference):
    return "sha256:" + hashlib.sha256(reference.encode()).hexdigest()


def test_change_is_promoted_rolled_back_held_and_unheld(empty_world):
    world = empty_world

    # given a first release of both services in all three environments
    assert build_what_is_planned(world, digest_of) == ["order-service", "user-service"]
    world.promote("dev", "stage")
    world.promote("stage", "prod")
    first = world.image("prod", "user-service")

    # when one service changes, then only that one is built and released to dev
    commit = world.push({LOGIN: "1"})
    assert build_what_is_planned(world, digest_of) == ["user-service"]
    second = digest_of(f"ghcr.io/example-shop/user-service:sha-{commit[:12]}")
    assert [world.image(env, "user-service") for env in ("dev", "stage", "prod")] == [second, first, first]

    # when it is promoted, then all environments record the same digest
    world.promote("dev", "stage", "user-service")
    world.promote("stage", "prod", "user-service")
    texts = [
        (world.clone / f"gitops/envs/{env}/releases/user-service.yaml").read_text() for env in ("dev", "stage", "prod")
    ]
    assert [text.split("promotedFrom")[0] for text in texts] == [texts[0]] * 3
    assert second in texts[0]

    # when dev is rolled back, then the next push does not undo that
    world.b2cctl("rollback", "dev", "user-service", "--reason", "Slow")
    world.push({LOGIN: "2"})
    assert build_what_is_planned(world, digest_of) == ["user-service"]
    assert world.image("dev", "user-service") == first

    # when the hold is removed, then the next run releases, and the plan is empty afterwards
    world.b2cctl("unhold", "dev", "user-service")
    world.pull()
    commit = world.git("rev-parse", "HEAD")
    assert build_what_is_planned(world, digest_of) == ["user-service"]
    assert world.image("dev", "user-service") == digest_of(f"ghcr.io/example-shop/user-service:sha-{commit[:12]}")
    assert build_what_is_planned(world, digest_of) == []
