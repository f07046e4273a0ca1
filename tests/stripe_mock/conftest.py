from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

BINARY = Path(os.environ.get("STRIPE_MOCK", "/nowhere"))
LISTENING = "Listening for HTTP at address: "


def pytest_configure() -> None:
    if not BINARY.is_file():
        pytest.exit("no stripe-mock found: run make e2e-stripe, which builds it", returncode=1)


@pytest.fixture(scope="session")
def stripe_mock() -> Iterator[str]:
    """Run stripe-mock, which refuses what Stripe's OpenAPI document does not allow; return its URL."""
    command = [BINARY.resolve(), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith(LISTENING):
                break
        else:
            pytest.fail(f"stripe-mock did not start: {lines}")
        yield "http://" + line.removeprefix(LISTENING).strip()
        process.terminate()
