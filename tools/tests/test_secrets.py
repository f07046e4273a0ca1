"""The scan for secrets looks at all commits, or says that it cannot."""

import os
import shutil
import subprocess
from pathlib import Path

SECRETS = Path(__file__).parents[1] / "secrets"
IDENTITY = {
    f"GIT_{role}_{what}": "tester@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
ALONE = os.environ | IDENTITY | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def scan(clone: Path) -> subprocess.CompletedProcess[str]:
    (clone / "tools").mkdir()
    shutil.copy(SECRETS, clone / "tools/secrets")
    env = ALONE | {"GITLEAKS": "true"}
    return subprocess.run([clone / "tools/secrets"], env=env, capture_output=True, text=True, check=False)


def test_scan_of_a_shallow_clone_is_refused(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    subprocess.run(["git", "init", "--quiet", origin], env=ALONE, check=True)
    for message in ("A secret", "Remove it"):
        commit = ["git", "-C", origin, "commit", "--quiet", "--allow-empty", "-m", message]
        subprocess.run(commit, env=ALONE, check=True)
    for name, depth in (("shallow", ["--depth=1"]), ("whole", [])):
        clone = ["git", "clone", "--quiet", *depth, f"file://{origin}", tmp_path / name]
        subprocess.run(clone, env=ALONE, check=True)

    refused = scan(tmp_path / "shallow")

    assert refused.returncode == 1
    assert "this clone is shallow" in refused.stderr
    assert scan(tmp_path / "whole").returncode == 0
