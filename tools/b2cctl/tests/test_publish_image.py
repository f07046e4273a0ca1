"""What publish-image pushes and names is this run's own image, whatever the registry has."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPT = HERE.parent / "publish-image"
IMAGE = "ghcr.io/example-shop/user-service"


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Return a function that builds two archives of a text, publishes them, and returns exit code and output."""
    for folder in ("bin", "registry", "archives"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin/skopeo").write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "oci.py"} skopeo "$@"\n')
    (tmp_path / "bin/skopeo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("REGISTRY", str(tmp_path / "registry"))

    def run(text):
        for arch in ("amd64", "arm64"):
            archive = [sys.executable, HERE / "oci.py", "archive", f"{text} {arch}", tmp_path / f"archives/{arch}.tar"]
            subprocess.run(archive, check=True)
        command = [SCRIPT, IMAGE, "sha-1", tmp_path / "archives"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.strip(), done.stderr

    return run


def tagged(tmp_path):
    return tmp_path / "registry" / f"{IMAGE}:sha-1".replace("/", "+")


def test_digest_is_that_of_the_archives(publish, tmp_path):
    code, digest, _ = publish("ours")

    assert code == 0
    assert digest == "sha256:" + hashlib.sha256(tagged(tmp_path).read_bytes()).hexdigest()
    assert publish("ours")[:2] == (0, digest)  # a job that is run again
    tagged(tmp_path).unlink()
    assert publish("other")[1] != digest


def test_tag_of_another_image_fails_and_stays(publish, tmp_path):
    publish("theirs")
    before = tagged(tmp_path).read_bytes()

    code, digest, said = publish("ours")

    assert (code, digest) == (1, "")
    assert "is sha256:" in said
    assert tagged(tmp_path).read_bytes() == before


def test_registry_without_an_answer_is_not_taken_for_a_missing_tag(publish, tmp_path, monkeypatch):
    skopeo = tmp_path / "bin/skopeo"
    skopeo.write_text(skopeo.read_text().replace("exec", '[ "$1" != inspect ] || { echo "502" >&2; exit 1; }; exec'))

    code, digest, said = publish("ours")

    assert (code, digest, said.strip()) == (1, "", "502")
    assert not tagged(tmp_path).exists()
