"""Clients that the commands of docs/http-interface.md generate have correct types and place the README's order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import order_service
import user_service
from chassis.testing.postgres import migrated_database
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PROGRAMS = {"npx": ROOT / ".cache/clients/node_modules/.bin", "uvx": Path(sys.executable).parent}
SECTION = re.compile(r"## Generate a client\n.*?```sh\n(.*?)```", re.DOTALL)
PACKAGES = ("user-service-client/user_service_client", "order-service-client/order_service_client")
WRONG = {
    "an-unknown-member": ("register", {"nickname": "gh"}),
    "a-number-for-a-text": ("login", {"password": 7}),
    "a-text-for-a-list": ("orders", {"items": "p1"}),
    "null-for-a-list": ("orders", {"items": None}),
}


class Clients(NamedTuple):
    """A folder with the generated clients of this running shop, and what the generators wrote on the terminal."""

    folder: Path
    shop: Shop
    said: str


@pytest.fixture(scope="module")
def bodies() -> dict[str, Any]:
    """Return the bodies of the README's requests by path."""
    commands = (ROOT / "README.md").read_text().split("curl ")
    found = [re.search(r"localhost:\d+/(\w+).*?-d '(.*?)'", command, re.DOTALL) for command in commands]
    return {match[1]: json.loads(match[2]) for match in found if match}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Generate the clients of a running shop with the documented commands, for order-service and user-service."""
    user_port, order_port = free_ports()
    folder = tmp_path_factory.mktemp("clients")
    with (
        fresh_folder() as data,
        migrated_database("clients_user", user_service.MIGRATIONS) as user,
        migrated_database("clients_order", order_service.MIGRATIONS) as order,
        Shop(data, user_port=user_port, order_port=order_port, databases=(user, order)) as shop,
    ):
        said = ""
        for service in shop.services:
            for command in documented_commands():
                here = command.replace("localhost:5002", f"127.0.0.1:{service.port}").replace("docs/", f"{ROOT}/docs/")
                said += run(folder, *here.replace("order-service", service.name).split())
        yield Clients(folder, shop, said)


def documented_commands() -> list[str]:
    (block,) = SECTION.findall((ROOT / "docs/http-interface.md").read_text())
    commands = block.splitlines()
    assert [command.split()[0] for command in commands] == list(PROGRAMS)
    return list(commands)


def start(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program that is installed here; `npx` and `uvx` would install it first."""
    program = command[1:] if command[0] in PROGRAMS else command
    path = os.pathsep.join([*map(str, PROGRAMS.values()), os.environ["PATH"]])
    return subprocess.run(
        program,
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def run(folder: Path, *command: str, **variables: str) -> str:
    """Run a program that succeeds; return what it writes."""
    done = start(folder, *command, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def files_with_type_errors(folder: Path, files: dict[str, dict[str, Any]]) -> set[str]:
    """Put these bodies into copies of bodies.ts; return the names of those that do not type-check."""
    for name, bodies in files.items():
        source = (HERE / "bodies.ts").read_text()
        for path, body in bodies.items():
            source, count = re.subn(rf"\b{path.upper()}\b", lambda _, body=body: json.dumps(body), source)
            assert count == 1
        (folder / f"{name}.ts").write_text(source)
    done = start(folder, "tsc", "--noEmit", "--strict", "--pretty", "false", *(f"{name}.ts" for name in files))
    print(done.stdout)
    return set(re.findall(r"^(\S+)\.ts\(", done.stdout, re.MULTILINE))


def test_generators_have_nothing_to_warn_of(clients: Clients) -> None:
    assert clients.said
    assert re.findall(r".*warn.*", clients.said, re.IGNORECASE) == []


def test_bodies_of_the_readme_have_the_generated_typescript_types(clients: Clients, bodies: dict[str, Any]) -> None:
    assert sorted(bodies) == ["login", "orders", "register"]
    assert files_with_type_errors(clients.folder, {"readme": bodies}) == set()


def test_wrong_bodies_do_not_have_the_generated_typescript_types(clients: Clients, bodies: dict[str, Any]) -> None:
    wrong = {name: {**bodies, path: bodies[path] | member} for name, (path, member) in WRONG.items()}
    assert files_with_type_errors(clients.folder, wrong) == set(WRONG)


def test_generated_python_clients_compile_and_pass_mypy(clients: Clients) -> None:
    folders = [str(clients.folder / package) for package in PACKAGES]
    assert run(clients.folder, sys.executable, "-W", "error", "-m", "compileall", "-q", *folders) == ""
    path = os.pathsep.join(str(Path(folder).parent) for folder in folders)
    packages = [argument for folder in folders for argument in ("--package", Path(folder).name)]
    run(clients.folder, "mypy", *packages, MYPYPATH=path)
    run(clients.folder, "mypy", "--strict", str(HERE / "shopper.py"), MYPYPATH=path)


def test_generated_python_clients_place_the_order_of_the_readme(clients: Clients, bodies: dict[str, Any]) -> None:
    path = os.pathsep.join(str((clients.folder / package).parent) for package in PACKAGES)
    addresses = [service.url for service in clients.shop.services]
    sent = [json.dumps(bodies[path]) for path in ("register", "login", "orders")]
    assert (
        run(clients.folder, sys.executable, str(HERE / "shopper.py"), *addresses, *sent, PYTHONPATH=path) == "64.88\n"
    )
