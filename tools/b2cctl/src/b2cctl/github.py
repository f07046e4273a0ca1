"""Call GitHub through its command line `gh`."""

import json
import re
import subprocess
from typing import Any

from b2cctl.git import Refused
from b2cctl.releases import Release

SIGNER = ".github/workflows/_publish-image.yml"
MAIN = "refs/heads/main"
LONGEST_TITLE = 200  # GitHub takes 256 characters


def _gh(*arguments: str) -> str:
    try:
        return subprocess.run(["gh", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout
    except FileNotFoundError:
        raise Refused("gh, GitHub's command line, is not installed") from None
    except subprocess.CalledProcessError as failed:
        raise Refused(f"gh {arguments[0]}: {failed.stderr.strip()}") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"gh {arguments[0]}: no answer") from None


def verify_attestation(release: Release, slug: str) -> None:
    """Raise Refused for an image that main's workflow did not build from the recorded commit."""
    image = f"oci://{release.image.repository}@{release.image.digest}"
    # `--signer-workflow` would accept any branch's workflow, and only in the spelling of the certificate.
    signer = f"(?i)^https://github\\.com/{re.escape(f'{slug}/{SIGNER}@{MAIN}')}$"
    source = ("--source-ref", MAIN, "--source-digest", release.source_sha)
    _gh("attestation", "verify", image, "--repo", slug, "--cert-identity-regex", signer, *source)


def open_pull_request(slug: str, branch: str, title: str, difference: str) -> None:
    """Propose a branch; where this fails, tell how a person does it."""
    short = title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
    body = f"```diff\n{difference}\n```\n"
    try:
        _gh("pr", "create", "--base", "main", "--head", branch, "--title", short, "--body", body)
    except Refused as refusal:
        address = f"https://github.com/{slug}/compare/main...{branch}?expand=1"
        raise Refused(f"{refusal.message}\nThe branch is pushed. Open the pull request yourself: {address}") from None


def api(slug: str, endpoint: str) -> Any:
    return json.loads(_gh("api", f"repos/{slug}/{endpoint}"))
