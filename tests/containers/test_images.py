"""Images are small, unprivileged, reproducible and hold only their own code."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers.engine import ROOT, build, docker, inspect, remove_images

SERVICES = {"user-service": "5001", "order-service": "5002"}
LARGEST_ADDITION = 190_000_000  # 30 MB of it are the locales of Babel, 25 MB Stripe's client
EPOCH = "1700000000"

each_service = pytest.mark.parametrize("service", SERVICES)


def run(tag: str, script: str) -> str:
    """Run a shell script in a container with a read-only root."""
    return docker("run", "--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", tag, "sh", "-c", script)


@each_service
def test_an_image_runs_as_user_10001_and_writes_to_tmp_only(tags: dict[str, str], service: str) -> None:
    attempts = 'for folder in / /app /packages /var/tmp /tmp; do touch "$folder/x" 2>/dev/null && echo "$folder"; done'

    assert run(tags[service], f"{attempts}; id -u; id -g").split() == ["/tmp", "10001", "10001"]


@each_service
def test_an_image_holds_no_installer_compiler_test_or_shell_history(tags: dict[str, str], service: str) -> None:
    tools = "for tool in pip pip3 uv gcc cc make git; do command -v $tool; done"
    tests = "-path '/app/*/tests*' -o -path '/app/*/testing*' -o -path '/app/*.py' -name 'test_*' -o -name 'conftest.*'"
    files = rf"find / -xdev \( -name '.*_history' -o -name 'pip-*.whl' -o {tests} -o -name .env \)"
    modules = (
        "python -c 'import pip' 2>/dev/null && echo pip; python -c 'import ensurepip' 2>/dev/null && echo ensurepip"
    )

    assert run(tags[service], f"{tools}; {files} 2>/dev/null; {modules}; true") == ""


@each_service
def test_an_image_holds_its_own_code_and_the_chassis(tags: dict[str, str], service: str) -> None:
    package = service.replace("-", "_")

    found = run(tags[service], "ls /app").split()

    assert [name for name in found if name != "__pycache__"] == ["app.py", "chassis", "migrations", package]


@each_service
def test_image_history_environment_and_labels_hold_no_secret(tags: dict[str, str], service: str) -> None:
    config = inspect(tags[service])["Config"]
    names = {entry.split("=")[0] for entry in config["Env"]}
    base = {entry.split("=")[0] for entry in inspect(os.environ["PYTHON_IMAGE"])["Config"]["Env"]}
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", tags[service])

    own = {"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "SERVICE_NAME", "PORT"}
    assert names - base == own
    for word in ("secret", "password", "credential", "postgresql://", "://"):
        assert word not in history.lower()
        assert word not in json.dumps(config["Labels"]).lower()


@each_service
def test_image_configuration_and_labels_are_complete(tags: dict[str, str], service: str) -> None:
    config = inspect(tags[service])["Config"]

    assert config["User"] == "10001:10001"
    assert config["Cmd"] == ["python", "-m", "chassis.server"]  # no shell, which would not pass on SIGTERM
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-I", "chassis/server/healthcheck.py"]
    assert config["ExposedPorts"] == {f"{SERVICES[service]}/tcp": {}}
    prefix = "org.opencontainers.image."
    assert {f"{prefix}title", f"{prefix}description", f"{prefix}licenses"} <= config["Labels"].keys()
    assert config["Labels"][f"{prefix}title"] == service


@each_service
def test_an_image_adds_less_than_190_mb_to_its_base(tags: dict[str, str], service: str, note: list[str]) -> None:
    base, whole = (inspect(tag)["Size"] for tag in (os.environ["PYTHON_IMAGE"], tags[service]))

    note.append(f"{service}: {(whole - base) / 1e6:.0f} MB above its base of {base / 1e6:.0f} MB")
    assert 0 < whole - base < LARGEST_ADDITION


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy an image's sources, and add files that must not reach the image."""
    for folder in ("services/user-service", "libs/chassis"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    return tmp_path


@pytest.fixture
def tag() -> Iterator[str]:
    tag = f"b2c-test-{os.getpid()}/other"
    yield tag
    remove_images(tag)


def layers(tag: str) -> list[str]:
    return list(inspect(tag)["RootFS"]["Layers"])


def test_equal_sources_make_equal_layers_at_any_time_and_place(copy: Path, tag: str) -> None:
    # given a later clone with another umask, used with another Python
    build("user-service", tag, "--no-cache", "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}")
    first, created = layers(tag), inspect(tag)["Created"]
    for path in copy.rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1, 1))
    (copy / "services/user-service/user_service/__pycache__").mkdir()
    (copy / "services/user-service/user_service/__pycache__/settings.cpython-311.pyc").write_bytes(b"other")

    build("user-service", tag, "--no-cache", "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}", root=copy)

    # then dependencies, code and working directory are identical. The layer before them, which removes pip, has
    # the time of the removal; the pipeline's exporter rewrites that one too (rewrite-timestamp).
    assert layers(tag)[-3:] == first[-3:]
    assert created == inspect(tag)["Created"] == "2023-11-14T22:13:20Z"


def test_a_change_of_code_leaves_the_layer_of_dependencies_as_it_is(copy: Path, tag: str) -> None:
    build("user-service", tag, "--no-cache", "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}", root=copy)
    before = layers(tag)
    with (copy / "services/user-service/app.py").open("a") as door:
        door.write("# changed\n")

    build("user-service", tag, "--no-cache", "--build-arg", "SOURCE_DATE_EPOCH=1800000000", root=copy)

    assert layers(tag)[-3] == before[-3]
    assert layers(tag)[-2] != before[-2]


def test_secrets_tests_and_caches_beside_the_code_never_reach_the_image(copy: Path, tag: str) -> None:
    for name in (".env", "tests/secret.txt", "user_service/__pycache__/x.pyc", "notes.txt"):
        path = copy / "services/user-service" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("planted")
    (copy / "libs/chassis/src/chassis/__pycache__").mkdir()
    (copy / "libs/chassis/src/chassis/__pycache__/x.pyc").write_text("planted")

    build("user-service", tag, root=copy)

    assert run(tag, "grep -rl planted /app; true") == ""


def test_a_build_without_the_chassis_stops(copy: Path, tag: str) -> None:
    shutil.rmtree(copy / "libs/chassis/src")

    with pytest.raises(AssertionError, match=r"src/chassis.*not found"):
        build("user-service", tag, root=copy)
