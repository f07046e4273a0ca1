"""Call GitHub through its command line `gh`."""

import json
import subprocess
from typing import Any

from b2cctl.git import Refused
from b2cctl.releases import Release

SIGNER = ".github/workflows/_publish-image.yml"


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
    """Raise Refused for an image that this repository's workflow did not build."""
    image = f"oci://{release.image.repository}@{release.image.digest}"
    _gh("attestation", "verify", image, "--repo", slug, "--signer-workflow", f"{slug}/{SIGNER}")


def open_pull_request(branch: str, title: str, difference: str) -> None:
    body = f"```diff\n{difference}\n```\n"
    _gh("pr", "create", "--base", "main", "--head", branch, "--title", title, "--body", body)


def api(slug: str, endpoint: str) -> Any:
    return json.loads(_gh("api", f"repos/{slug}/{endpoint}"))
