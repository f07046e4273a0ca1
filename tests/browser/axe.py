"""Check pages with axe-core, which is fetched from npm once."""

from __future__ import annotations

import base64
import functools
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
KEPT = Path(__file__).parents[2] / ".cache" / f"axe-core-{VERSION}.js"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """async (rules) => (await axe.run(document, { runOnly: rules, resultTypes: ["violations"] })).violations.flatMap(
    (violation) => violation.nodes.map((node) => `${violation.id}: ${node.html}: ${node.failureSummary}`))"""


class NotFetched(Exception):
    """npm is missing, or what it fetched is not the package whose hash is known."""


def violations(page: Page) -> list[str]:
    """Return what axe-core has against the page that is open."""
    page.evaluate(source())
    found: list[str] = page.evaluate(RUN, RULES)
    return found


@functools.cache
def source() -> str:
    """Return axe-core's script."""
    if not KEPT.exists():
        KEPT.parent.mkdir(exist_ok=True)
        script = fetch()
        KEPT.write_bytes(script)
    return KEPT.read_text("utf-8")


def fetch() -> bytes:
    """Return the script out of the package that npm fetches; raise NotFetched."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotFetched("axe-core comes from npm, which is not installed: apt-get install npm")
    with tempfile.TemporaryDirectory() as folder:
        command: list[Any] = [npm, "pack", "--silent", f"axe-core@{VERSION}", "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        package = Path(folder, f"axe-core-{VERSION}.tgz")
        if base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode() != SHA512:
            raise NotFetched(f"the hash of axe-core {VERSION} is not the one that is written here")
        with tarfile.open(package) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member
            return member.read()
