"""Read commits, write a commit on top of main and push it, without a working tree."""

import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess, run

import click

ATTEMPTS = 30
LONGEST_PAUSE = 3.0


class Refused(click.ClickException):
    """The pipeline refuses the operation; the message says why."""


@dataclass(frozen=True)
class Change:
    """Files to write on top of a commit, and the commit message."""

    files: Mapping[str, str]
    message: str


@dataclass(frozen=True)
class Repository:
    """A clone; its working tree and index are never used."""

    path: Path

    def _run(self, *arguments: str, stdin: str | None = None, index: str | None = None) -> CompletedProcess[str]:
        environment = os.environ | ({"GIT_INDEX_FILE": index} if index else {})
        command = ["git", "-C", str(self.path), *arguments]
        return run(command, input=stdin, env=environment, capture_output=True, text=True, check=False)

    def git(self, *arguments: str, stdin: str | None = None, index: str | None = None) -> str:
        done = self._run(*arguments, stdin=stdin, index=index)
        if done.returncode:
            raise Refused(f"git {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def resolve(self, revision: str) -> str:
        return self.git("rev-parse", "--verify", f"{revision}^{{commit}}").strip()

    def fetch_main(self) -> str:
        self.git("fetch", "--quiet", "origin", "main")
        return self.resolve("FETCH_HEAD")

    def has(self, commit: str) -> bool:
        return self._run("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def is_ancestor(self, older: str, newer: str) -> bool:
        return self._run("merge-base", "--is-ancestor", older, newer).returncode == 0

    @cache  # noqa: B019 - commits never change, and a process works on one clone
    def tree(self, commit: str) -> dict[str, str]:
        """Return every file of a commit: path to mode, type and blob id."""
        listing = self.git("ls-tree", "-r", "-z", "--full-tree", commit)
        entries = (line.split("\t", 1) for line in listing.split("\0") if line)
        return {path: entry for entry, path in entries}

    @cache  # noqa: B019 - as above
    def read(self, commit: str, path: str) -> str | None:
        entry = self.tree(commit).get(path)
        return self.git("cat-file", "blob", entry.split()[2]) if entry else None

    def time(self, commit: str) -> datetime:
        return datetime.fromtimestamp(int(self.git("show", "-s", "--format=%ct", commit)), UTC)

    def log(self, commit: str, path: str) -> list[str]:
        """Return the commits that changed a file, newest first."""
        return self.git("log", "--format=%H", commit, "--", path).split()

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
        """Push without force; return False when the branch has moved meanwhile."""
        done = self._run("push", "--porcelain", "origin", f"{commit}:refs/heads/{branch}")
        rejected = any(line.startswith("!") for line in done.stdout.splitlines())
        if done.returncode and not rejected:
            raise Refused(f"git push: {done.stderr.strip()}")
        return not rejected

    def publish(self, decide: Callable[[str], Change | None], branch: str = "main") -> str | None:
        """Call `decide` with the newest main, commit its change and push; start again when the push is rejected.

        `{commit}` in the branch's name is replaced by the commit.
        """
        for attempt in range(ATTEMPTS):
            base = self.fetch_main()
            if (change := decide(base)) is None:
                return None
            commit = self.commit(base, change)
            if self.push(commit, branch.format(commit=commit)):
                return commit
            # Jitter, so that colliding writers do not collide again.
            time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.05 * 2**attempt)))  # noqa: S311
        raise Refused(f"{ATTEMPTS} pushes were rejected: run the job again")
