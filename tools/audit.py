"""Look up all locked dependencies in PyPI's advisory database: `python tools/audit.py`.

Fails on a known vulnerability and on an invalid list of requirements. When the database cannot be reached, it prints
a warning and succeeds, so that `make check` also works offline.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
AUDIT = [Path(sys.executable).with_name("pip-audit"), "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
UNREACHABLE = re.compile(r"requests\.exceptions|Could not connect|not redirecting|ServiceError")


def main(requirements: Path) -> int:
    run = subprocess.run([*AUDIT, "--format", "json", "-r", requirements], capture_output=True, text=True, check=False)
    if run.stdout.strip():
        return report(json.loads(run.stdout)["dependencies"])
    reason = (run.stderr.strip().splitlines() or ["no answer"])[-1]
    if UNREACHABLE.search(reason):
        return warn(f"NOT DONE, could not reach the advisory database: {reason}")
    print(f"audit: {reason}", file=sys.stderr)
    return 1


def report(dependencies: list[dict[str, Any]]) -> int:
    findings = [(found, flaw) for found in dependencies for flaw in found.get("vulns", [])]
    for found, flaw in findings:
        fixed = ", ".join(flaw["fix_versions"]) or "nowhere yet"
        print(f"audit: {found['name']} {found['version']}: {flaw['id']}, fixed in {fixed}", file=sys.stderr)
    looked_up = sum("vulns" in found for found in dependencies)
    if findings:
        return 1
    if looked_up == 0:
        return warn("NOT DONE, the package index in use holds no advisories")
    if looked_up < len(dependencies):
        return warn(f"only {looked_up} of {len(dependencies)} dependencies were found in the advisory database")
    print(f"audit: no advisory for any of {looked_up} dependencies")
    return 0


def warn(what: str) -> int:
    print(f"audit: {what}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(ROOT / "requirements-dev.txt"))
