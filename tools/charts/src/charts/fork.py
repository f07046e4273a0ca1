"""Change the owner in every file that contains the repository's address or the image owner."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

POLICY = "gitops/policy/shop.yaml"
# File, and the form of owner and repository in it.
PLACES = (
    (POLICY, "\nowner: {owner}\nrepo: {repo}\n"),
    ("gitops/root.yaml", "https://github.com/{owner}/{repo}.git\n"),
    ("helm/b2c-common/values.yaml", "imageRegistry: {registry}/{owner}\n"),
    (".github/CODEOWNERS", "@{owner}/"),
)
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def rename(root: Path, owner: str, repo: str) -> None:
    """Change owner and repository in all files, or in none when one of them does not match."""
    if not (NAME.fullmatch(owner) and NAME.fullmatch(repo)):
        raise SystemExit("charts: say make fork OWNER=... REPO=..., in small letters as image names are")
    before = yaml.safe_load((root / POLICY).read_text())
    contents = {}
    for place, form in PLACES:
        stands, content = form.format(**before), (root / place).read_text()
        if stands not in content:
            raise SystemExit(f"charts: {place} should hold this: {stands.strip()}")
        contents[root / place] = content.replace(stands, form.format(**before | {"owner": owner, "repo": repo}))
    for file, content in contents.items():
        file.write_text(content)
