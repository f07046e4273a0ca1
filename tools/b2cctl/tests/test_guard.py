import pytest

LOGIN = "services/user-service/user_service/login.py"
PROD = "gitops/envs/prod/releases/user-service.yaml"
STAGE = "gitops/envs/stage/releases/user-service.yaml"
DEV = "gitops/envs/dev/releases/user-service.yaml"


def text(world, path):
    return (world.clone / path).read_text()


def written_by(world, *arguments):
    """Return the files that a command would write, without a change of main."""
    base = world.git("rev-parse", "HEAD")
    world.b2cctl(*arguments)
    world.pull()
    names = world.git("diff", "--name-only", base, "HEAD").splitlines()
    files = {name: text(world, name) for name in names}
    world.git("push", "--quiet", "--force", "origin", f"{base}:main")
    world.pull()
    return files


def guard(world, files):
    base = world.git("rev-parse", "HEAD")
    head = world.commit(files)
    return ["guard", "--base", base, "--head", head]


COMMANDS = {
    "a promotion to prod": ["promote", "stage", "prod", "user-service", "--skip-attestation", "--direct"],
    "a promotion to stage": ["promote", "dev", "stage", "user-service", "--skip-attestation", "--direct"],
    "a rollback of stage": ["rollback", "stage", "user-service", "--direct", "--reason", "Slow"],
    "a rollback of dev": ["rollback", "dev", "user-service", "--reason", "Slow"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_changes_written_by_b2cctl_may_be_merged(shipped, command):
    files = written_by(shipped, *command)

    assert files
    assert "nothing speaks against it" in shipped.b2cctl(*guard(shipped, files))


def test_an_unhold_may_be_merged(shipped):
    shipped.b2cctl("rollback", "stage", "user-service", "--direct", "--reason", "Slow")
    shipped.pull()
    files = written_by(shipped, "unhold", "stage", "user-service", "--direct")

    assert "nothing speaks against it" in shipped.b2cctl(*guard(shipped, files))


def test_a_change_without_releases_may_be_merged(shipped):
    files = {"gitops/envs/prod/values/user-service.yaml": "replicas: 3\n", LOGIN: "3"}

    assert "nothing speaks against it" in shipped.b2cctl(*guard(shipped, files))


def hand_edited(world, path, old, new):
    changed = text(world, path).replace(old, new)
    assert changed != text(world, path)
    return {path: changed}


def promotion_of(world, source, target):
    return written_by(world, "promote", source, target, "user-service", "--skip-attestation", "--direct")


FORGERIES = {
    "a digest typed by hand": (
        lambda world: hand_edited(world, PROD, world.digest("a"), world.digest("f")),
        "prod/releases/user-service.yaml: not what promote, rollback or unhold would write: stage records sha256:bbbb",
    ),
    "an earlier digest without a hold": (
        lambda world: {STAGE: text(world, PROD)},
        "stage/releases/user-service.yaml: not what promote, rollback or unhold would write: dev records sha256:cccc",
    ),
    "what dev runs, straight into prod": (
        lambda world: {PROD: promotion_of(world, "dev", "stage")[STAGE].replace("env: dev", "env: stage")},
        "not what promote, rollback or unhold would write: stage records sha256:bbbb",
    ),
    "a newer chart with the same image": (
        lambda world: hand_edited(world, PROD, world.recorded("prod", "user-service")["chartRevision"], "f" * 40),
        "not what promote, rollback or unhold would write",
    ),
    "a promotion with other evidence": (
        lambda world: {
            PROD: promotion_of(world, "stage", "prod")[PROD].replace(
                world.git("log", "-1", "--format=%H", "--", STAGE), "f" * 40
            )
        },
        "not what promote, rollback or unhold would write",
    ),
    "a release of dev by hand": (
        lambda world: hand_edited(world, DEV, world.digest("c"), world.digest("f")),
        "only the pipeline releases to dev",
    ),
    "a hold of something that never ran": (
        lambda world: {
            PROD: text(world, PROD)
            .replace(world.digest("a"), world.digest("f"))
            .replace("hold: false", "hold: true\nreason: Slow")
        },
        "not what promote, rollback or unhold would write",
    ),
    "a hold without a reason": (
        lambda world: hand_edited(world, PROD, "hold: false", "hold: true"),
        "hold and reason come and go together",
    ),
    "an unknown member": (lambda world: {PROD: text(world, PROD) + "replicas: 9\n"}, "Extra inputs are not permitted"),
    "another order of the members": (
        lambda world: {PROD: text(world, PROD).replace("schema: 1\n", "") + "schema: 1\n"},
        "not what promote, rollback or unhold would write",
    ),
    "an added comment": (
        lambda world: {PROD: promotion_of(world, "stage", "prod")[PROD] + "# trust me\n"},
        "not what promote, rollback or unhold would write",
    ),
    "no YAML": (lambda _: {PROD: "{"}, "not a release"),
    "a mutable tag": (
        lambda world: {PROD: text(world, PROD).replace("tag: sha-", "tag: latest-")},
        "image.tag",
    ),
    "another service's release": (
        lambda world: {PROD: text(world, "gitops/envs/prod/releases/order-service.yaml")},
        "not what promote, rollback or unhold would write",
    ),
    "a removal from stage before prod": (lambda _: {STAGE: None}, "prod runs user-service: remove it there first"),
    "a service that does not exist": (
        lambda world: {"gitops/envs/prod/releases/mail-service.yaml": text(world, PROD)},
        "no release of an environment and a service of this shop",
    ),
    "an environment that does not exist": (
        lambda world: {"gitops/envs/test/releases/user-service.yaml": text(world, PROD)},
        "no release of an environment and a service of this shop",
    ),
    "a file of another kind": (
        lambda _: {"gitops/envs/prod/releases/user-service.json": "{}"},
        "no release of an environment and a service of this shop",
    ),
    "values along with a promotion": (
        lambda world: (
            promotion_of(world, "stage", "prod") | {"gitops/envs/prod/values/user-service.yaml": "replicas: 0\n"}
        ),
        "releases travel alone, but this change also touches gitops/envs/prod/values/user-service.yaml",
    ),
    "code along with a promotion": (
        lambda world: promotion_of(world, "stage", "prod") | {LOGIN: "3"},
        f"releases travel alone, but this change also touches {LOGIN}",
    ),
    "a policy that allows it": (
        lambda world: {
            "gitops/policy/promotion.yaml": "order: [dev, prod]\n",
            PROD: promotion_of(world, "dev", "stage")[STAGE],
        },
        "releases travel alone",
    ),
}


@pytest.mark.parametrize(("forge", "objection"), FORGERIES.values(), ids=FORGERIES)
def test_changes_that_b2cctl_would_not_write_are_refused(shipped, forge, objection):
    files = forge(shipped)

    assert objection in shipped.refusal(*guard(shipped, files))


def proposed_release(shipped, image):
    """What a pull request of main's run would release to dev: an edit of main, as this image."""
    shipped.push({LOGIN: "9"})
    base = shipped.git("rev-parse", "HEAD")
    shipped.release({"user-service": image})
    released = text(shipped, DEV)
    shipped.git("push", "--quiet", "--force", "origin", f"{base}:main")
    shipped.pull()
    return released


def test_release_to_dev_may_be_merged_if_main_built_its_image(shipped, gh):
    calls = gh()
    files = {DEV: proposed_release(shipped, "e")}

    assert "nothing speaks against it" in shipped.b2cctl(*guard(shipped, files))
    assert f"@{shipped.digest('e')}" in calls.read_text()


def test_release_to_dev_of_an_image_that_main_did_not_build_is_refused(shipped, gh):
    gh("echo 'no attestation' >&2; exit 1")
    files = {DEV: proposed_release(shipped, "e")}

    assert "no attestation" in shipped.refusal(*guard(shipped, files))


def test_release_to_dev_of_other_inputs_than_the_commits_is_refused(shipped, gh):
    gh()
    released = proposed_release(shipped, "e")
    inputs = shipped.recorded("dev", "order-service")["inputs"]
    files = {DEV: released.replace(released.split("inputs: ")[1].split("\n")[0], inputs)}

    assert "only the pipeline releases to dev" in shipped.refusal(*guard(shipped, files))


def test_windows_line_ends_in_a_release_are_refused(shipped):
    base = shipped.git("rev-parse", "HEAD")
    promoted = promotion_of(shipped, "stage", "prod")[PROD]
    (shipped.clone / PROD).write_bytes(promoted.replace("\n", "\r\n").encode())
    head = shipped.commit({})

    said = shipped.refusal("guard", "--base", base, "--head", head)
    assert "not what promote, rollback or unhold would write" in said


@pytest.mark.parametrize("disguise", ["link", "executable"])
def test_release_that_is_no_ordinary_file_is_refused(shipped, disguise):
    base = shipped.git("rev-parse", "HEAD")
    promoted = promotion_of(shipped, "stage", "prod")[PROD]
    (shipped.clone / PROD).unlink()
    if disguise == "link":
        (shipped.clone / PROD).symlink_to(promoted)
    else:
        (shipped.clone / PROD).write_text(promoted)
        (shipped.clone / PROD).chmod(0o755)
    head = shipped.commit({})

    assert "no ordinary file" in shipped.refusal("guard", "--base", base, "--head", head)


def test_service_is_removed_from_one_environment_after_another(shipped):
    for path in (PROD, STAGE):
        assert "nothing speaks against it" in shipped.b2cctl(*guard(shipped, {path: None}))

    before = shipped.git("rev-parse", "HEAD")
    assert "delete services/user-service first" in shipped.refusal(*guard(shipped, {DEV: None}))
    shipped.git("reset", "--quiet", "--hard", before)
    shipped.commit(dict.fromkeys(shipped.git("ls-files", "services/user-service").splitlines()))

    assert "nothing speaks against it" in shipped.b2cctl(*guard(shipped, {DEV: None}))


def test_outdated_promotion_is_refused(shipped):
    # given a promotion to prod, made when stage ran b
    files = promotion_of(shipped, "stage", "prod")

    # when stage gets another release before it is merged
    shipped.promote("dev", "stage", "user-service")

    # then
    assert "stage records sha256:cccc" in shipped.refusal(*guard(shipped, files))


def test_a_promotion_into_a_hold_is_refused(shipped):
    # given
    files = promotion_of(shipped, "dev", "stage")

    # when the service is rolled back before it is merged
    shipped.b2cctl("rollback", "stage", "user-service", "--direct", "--reason", "Slow")
    shipped.pull()

    # then
    assert "not what promote, rollback or unhold would write" in shipped.refusal(*guard(shipped, files))
