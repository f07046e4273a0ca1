"""Run the command blocks of the documents."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from cluster.access import ROOT

BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
RUNBOOKS = ROOT / "docs/runbooks"


def block(document: str, word: str, language: str = "sh") -> str:
    """Return the only block of a document with a word."""
    text = (ROOT / document).read_text()
    (found,) = (code for kind, code in BLOCK.findall(text) if kind == language and word in code)
    return str(found)


def follow(script: str, folder: Path, **environment: str) -> str:
    """Run a block in a shell; stop at the first failing command."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def with_names(script: str, **names: str) -> str:
    """Replace a document's example names by those of a test."""
    for example, name in names.items():
        script = script.replace(example, name)
    return script
