"""Run Docker, and the shop of docker-compose.yml as a separate project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx

from localshop.testing import free_ports

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = "registry:3@sha256:1be55279f18a2fe1a74edf2664cac61c1bea305b7b4642dab412e7affdcb3e33"
PATIENCE = 120


def docker(*arguments: str | Path, check: bool = True, **options: Any) -> str:
    """Run docker and return its output; fail with the output in the message."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0 or not check, f"docker {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def inspect(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(docker("inspect", name))
    return found[0]


def chosen_images(given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of all images: given, else pinned, else a local stand-in."""
    compose = (ROOT / "docker-compose.yml").read_text()
    dockerfile = (ROOT / "services/user-service/Dockerfile").read_text()
    python = _choose(given, "PYTHON_IMAGE", _default(dockerfile, r"ARG PYTHON_IMAGE=(\S+)"), lambda: "python:3.14-slim")
    os.environ.setdefault("BUILD_NETWORK", given.get("BUILD_NETWORK") or ("default" if "@" in python else "host"))
    return {
        "PYTHON_IMAGE": python,
        "POSTGRES_IMAGE": _choose(given, "POSTGRES_IMAGE", _pinned(compose, "POSTGRES_IMAGE"), lambda: "postgres:18"),
        "BALANCER_IMAGE": _choose(
            given, "BALANCER_IMAGE", _pinned(compose, "BALANCER_IMAGE"), lambda: stand_in("haproxy", python)
        ),
        "MAIL_CATCHER_IMAGE": _choose(
            given, "MAIL_CATCHER_IMAGE", _pinned(compose, "MAIL_CATCHER_IMAGE"), lambda: stand_in("mail", python)
        ),
        "REGISTRY_IMAGE": _choose(given, "REGISTRY_IMAGE", REGISTRY, lambda: stand_in("registry", python)),
    }


def _default(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    assert found, pattern
    return found.group(1)


def _pinned(compose: str, variable: str) -> str:
    return _default(compose, rf"\$\{{{variable}:-([^}}]+)\}}")


def _choose(given: Mapping[str, str], variable: str, pinned: str, otherwise: Callable[[], str]) -> str:
    if variable in given:
        return given[variable]
    return pinned if pull(pinned) else otherwise()


def pull(image: str) -> bool:
    return subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, check=False).returncode == 0


def stand_in(target: str, python: str) -> str:
    """Build an image from a Debian package in place of a published one; return its tag."""
    tag = f"b2c-stand-in/{target}"
    arguments = ["--build-arg", f"PYTHON_IMAGE={python}", "--target", target, "--tag", tag]
    docker("build", *_network(), *arguments, "-", input=(Path(__file__).parent / "stand-ins.Dockerfile").read_text())
    return tag


def _network() -> tuple[str, str]:
    return "--network", os.environ.get("BUILD_NETWORK", "default")


def build(service: str, tag: str, *options: str, root: Path = ROOT) -> None:
    """Build a service's image as the pipeline does."""
    base = ["--build-arg", f"PYTHON_IMAGE={os.environ['PYTHON_IMAGE']}"]
    chassis = ["--build-context", f"chassis={root / 'libs/chassis'}"]
    remove_images(tag)  # otherwise the old image would stay without a name
    docker("build", *_network(), *base, *chassis, *options, "--tag", tag, root / "services" / service)


def remove_images(*tags: str) -> None:
    docker("image", "rm", "--force", *tags, check=False)


def eventually(question: Callable[[], bool], what: str) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} seconds"
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def sign_in(url: str, username: str) -> dict[str, str]:
    """Register the customer if necessary, sign in, and return the headers."""
    account = {"username": username, "password": "violet-harbour-42"}
    httpx.post(f"{url}/register", json=account)
    token = httpx.post(f"{url}/login", json=account).raise_for_status().json()["token"]
    return {"Authorization": f"Bearer {token}"}


class Stack:
    """A run of docker-compose.yml; at its proxy, `shop` is the shop's URL, `user` and `order` are the services'."""

    def __init__(self, name: str, *profiles: str) -> None:
        self.name = name
        self.profiles = profiles
        names = ("SHOP_PORT", "USER_PORT", "ORDER_PORT", "MAILBOX_PORT")
        self.environment = dict(zip(names, map(str, free_ports(len(names))), strict=True))
        self.shop, self.user, self.order = (f"http://127.0.0.1:{self.environment[name]}" for name in names[:3])

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(remove_images, f"{self.name}/user-service", f"{self.name}/order-service")
            undo.callback(self.compose, "down", "--volumes", "--timeout", "3")
            self.up("--build")
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def compose(self, *arguments: str) -> str:
        chosen = [part for profile in self.profiles for part in ("--profile", profile)]
        command = ["compose", "--project-name", self.name, "--project-directory", str(ROOT), *chosen, *arguments]
        return docker(*command, env=os.environ | self.environment)

    def up(self, *options: str) -> None:
        self.compose("up", "--detach", "--wait", "--wait-timeout", "300", *options)

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return all containers, also stopped ones, by name without the project, such as user-service-1."""
        names = self.compose("ps", "--all", "--format", "{{.Name}}").split()
        return {name.removeprefix(f"{self.name}-"): inspect(name) for name in names}

    def run(self, service: str, *command: str) -> str:
        return self.compose("exec", "--no-TTY", service, *command)

    def sql(self, role: str, database: str, statement: str) -> str:
        """Run a statement as a role with its own password; return psql's output or error."""
        variable = f"{role.removesuffix('_owner').removesuffix('_service').upper()}"
        variable += "_OWNER_PASSWORD" if role.endswith("_owner") else "_PASSWORD"
        psql = f'PGPASSWORD=${variable} psql -qAt -h 127.0.0.1 -U {role} -d {database} -c "{statement}" 2>&1 || true'
        return self.run("postgres", "sh", "-c", f". /run/shop/environment; {psql}")
