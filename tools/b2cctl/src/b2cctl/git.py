"""Git without a working tree: read any commit, write one on top of main, push it plainly."""

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import click

ATTEMPTS = 30
LONGEST_PAUSE = 3.0


class Refused(click.ClickException):
    """Say why the pipeline will not do it."""


@dataclass(frozen=True)
class Change:
    """Files to write on top of a commit, and the message that tells why."""

    files: Mapping[str, str]
    message: str


@dataclass(frozen=True)
class Version:
    """What a file held from one commit on."""

    commit: str
    text: str


@dataclass(frozen=True)
class Repository:
    """A clone, read commit by commit; its working tree and index are never touched."""

    path: Path

    def git(self, *arguments: str, stdin: str | None = None, index: str | None = None) -> str:
        environment = os.environ | ({"GIT_INDEX_FILE": index} if index else {})
        command = ["git", "-C", str(self.path), *arguments]
        done = subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(f"git {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _succeeds(self, *arguments: str) -> bool:
        command = ["git", "-C", str(self.path), *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def resolve(self, revision: str) -> str:
        return self.git("rev-parse", "--verify", f"{revision}^{{commit}}").strip()

    def fetch_main(self) -> str:
        self.git("fetch", "--quiet", "origin", "main")
        return self.resolve("FETCH_HEAD")

    def has(self, commit: str) -> bool:
        return self._succeeds("cat-file", "-e", f"{commit}^{{commit}}")

    def is_ancestor(self, older: str, newer: str) -> bool:
        return self._succeeds("merge-base", "--is-ancestor", older, newer)

    @cache  # noqa: B019 - commits never change, and a process works on one clone
    def tree(self, commit: str) -> dict[str, str]:
        """List every file of a commit: path to mode and blob id."""
        listing = self.git(
            "ls-tree", "-r", "-z", "--full-tree", "--format=%(path)%x09%(objectmode) %(objectname)", commit
        )
        return dict(line.split("\t", 1)[:2] for line in listing.split("\0") if line)

    def read(self, commit: str, path: str) -> str | None:
        entry = self.tree(commit).get(path)
        return self._blob(entry.split()[1]) if entry else None

    @cache  # noqa: B019 - as above
    def _blob(self, name: str) -> str:
        return self.git("cat-file", "blob", name)

    def time(self, commit: str) -> datetime:
        return datetime.fromtimestamp(int(self.git("show", "-s", "--format=%ct", commit)), UTC)

    def versions(self, commit: str, path: str) -> list[Version]:
        """List what a file held over time, newest first, each with the commit that wrote it."""
        commits = self.git("log", "--format=%H", commit, "--", path).split()
        texts = ((written, self.read(written, path)) for written in commits)
        return [Version(written, text) for written, text in texts if text is not None]

    def commit(self, parent: str, change: Change) -> str:
        """Write a commit object on top of parent; nothing refers to it until it is pushed."""
        with tempfile.TemporaryDirectory() as scratch:
            index = str(Path(scratch, "index"))
            self.git("read-tree", parent, index=index)
            for path, text in change.files.items():
                blob = self.git("hash-object", "-w", "--stdin", stdin=text).strip()
                self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", index=index)
            tree = self.git("write-tree", index=index).strip()
        return self.git("commit-tree", tree, "-p", parent, "-F", "-", stdin=change.message).strip()

    def push(self, commit: str, branch: str) -> bool:
        """Push without force; False when somebody else pushed first."""
        command = ["git", "-C", str(self.path), "push", "--porcelain", "origin", f"{commit}:refs/heads/{branch}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        rejected = any(line.startswith("!") for line in done.stdout.splitlines())
        if done.returncode and not rejected:
            raise Refused(f"git push: {done.stderr.strip()}")
        return not rejected

    def publish(self, decide: Callable[[str], Change | None], branch: str = "main") -> str | None:
        """Decide on the newest main, commit, push; when somebody was faster, decide again.

        A branch may be named after what it holds: `{commit}` in its name is the commit pushed.
        """
        for attempt in range(ATTEMPTS):
            base = self.fetch_main()
            if (change := decide(base)) is None:
                return None
            commit = self.commit(base, change)
            if self.push(commit, branch.format(commit=commit)):
                return commit
            # Jitter, or writers that collided once collide again.
            time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.05 * 2**attempt)))  # noqa: S311
        raise Refused(f"{ATTEMPTS} pushes were rejected: run the job again")
