"""The openssl commands of docs/runbooks/rotate-keys.md make usable signing keys."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from user_service.sessions import keys

RUNBOOK = Path(__file__).resolve().parents[4] / "docs/runbooks/rotate-keys.md"


def test_the_runbooks_openssl_recipe_makes_a_key_that_signs_at_once(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"```sh\n([^`]*openssl genpkey[^`]*)```", RUNBOOK.read_text())

    subprocess.run(["sh", "-euc", recipe], cwd=tmp_path, check=True)

    ring = keys.KeyRing(tmp_path / "keys.json")
    kid, private = ring.signing()
    public = ring.find(kid)
    assert public is not None
    public.verify(private.sign(b"message"), b"message")
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]
