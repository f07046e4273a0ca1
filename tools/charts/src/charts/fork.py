"""Change the owner in every file that contains the repository's address or the image owner."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

POLICY = "gitops/policy/shop.yaml"
# File, and the form of owner and repository in it. YAML would read some names as numbers or booleans.
PLACES = (
    (POLICY, '\nowner: "{owner}"\nrepo: "{repo}"\n'),
    ("gitops/root.yaml", "https://github.com/{owner}/{repo}.git\n"),
    (
        "helm/b2c-common/values.yaml",
        "imageRegistry: {registry}/{image_owner}\nrunbooks: https://github.com/{owner}/{repo}/blob/main/docs/runbooks\n",
    ),
    (".github/CODEOWNERS", "@{owner}/"),
)
OWNER, REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}"), re.compile(r"[A-Za-z0-9._-]{1,100}")


def rename(root: Path, owner: str, repo: str) -> None:
    """Change owner and repository in all files, or in none when one of them does not match."""
    if not (OWNER.fullmatch(owner) and REPO.fullmatch(repo)):
        raise SystemExit("charts: say make fork OWNER=... REPO=..., as in https://github.com/OWNER/REPO")
    before = yaml.safe_load((root / POLICY).read_text())
    contents = {}
    for place, form in PLACES:
        stands, content = _filled(form, before), (root / place).read_text()
        if stands not in content:
            raise SystemExit(f"charts: {place} should hold this: {stands.strip()}")
        contents[root / place] = content.replace(stands, _filled(form, before | {"owner": owner, "repo": repo}))
    for file, content in contents.items():
        file.write_text(content)


def _filled(form: str, policy: dict[str, str]) -> str:
    """Write the owner as GitHub does, and in small letters where it is part of an image's name."""
    return form.format(**policy, image_owner=policy["owner"].lower())
