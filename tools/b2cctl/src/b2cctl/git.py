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
MAIN = "refs/b2cctl/main"
# Variables that name another repository, as inside a hook, or change what git reads and prints.
FOREIGN = {"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"}
FOREIGN |= {"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_REPLACE_REF_BASE", "GIT_EXTERNAL_DIFF"}
FOREIGN |= {"GIT_DIFF_OPTS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"}
# History is what was committed: no replacement objects, no grafts.
FIXED = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull, "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}
# Only plumbing commands are used, whose output no setting changes. These settings change what they do.
SETTINGS = (
    "advice.graftFileDeprecated=false",
    "core.fsmonitor=false",
    "core.splitIndex=false",
    "i18n.commitEncoding=UTF-8",
    "push.pushOption=",
)
OPTIONS = [part for setting in SETTINGS for part in ("-c", setting)]
FETCH = ("--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-write-fetch-head")
PUSH = ("--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--no-recurse-submodules")


class Refused(click.ClickException):
    """The pipeline refuses the operation; the message says why."""


class Declined(Refused):
    """A rule of the remote repository forbids the push, so trying again cannot help."""


@dataclass(frozen=True)
class Change:
    """Files to write on top of a commit, and the commit message."""

    files: Mapping[str, str]
    message: str


def decode(raw: bytes) -> str:
    """Decode bytes that need not be UTF-8, such as a file's name, without losing any."""
    return raw.decode(errors="surrogateescape")


def encode(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def shown(path: str) -> str:
    """Write a path for people: one that cannot be printed is quoted and escaped."""
    return path if path.isprintable() else repr(encode(path))[1:]


@dataclass(frozen=True)
class Repository:
    """A complete clone; its working tree and index are never used."""

    path: Path

    def _run(self, *arguments: str, stdin: str = "", index: str | None = None) -> CompletedProcess[bytes]:
        command = ["git", "-C", self._top(), *OPTIONS, *arguments]
        environment = _inherited() | FIXED | ({"GIT_INDEX_FILE": index} if index else {})
        return run(command, input=encode(stdin), env=environment, capture_output=True, check=False)

    @cache  # noqa: B019 - a process works on one clone
    def _top(self) -> str:
        """Return the top folder of the working tree, because git reads paths relative to where it runs.

        A bare clone has no working tree: return its own folder.
        """
        command = ["git", "-C", str(self.path), "rev-parse", "--show-toplevel"]
        try:
            done = run(command, env=_inherited(), capture_output=True, check=False)
        except FileNotFoundError:
            raise Refused("git is not installed") from None
        return str(self.path) if done.returncode else decode(done.stdout).removesuffix("\n")

    def _bytes(self, *arguments: str, stdin: str = "", index: str | None = None) -> bytes:
        done = self._run(*arguments, stdin=stdin, index=index)
        if done.returncode:
            raise Refused(f"git {arguments[0]}: {_said(done)}")
        return done.stdout

    def git(self, *arguments: str, stdin: str = "", index: str | None = None) -> str:
        return decode(self._bytes(*arguments, stdin=stdin, index=index))

    def resolve(self, revision: str) -> str:
        self._refuse_missing_history()
        return self.git("rev-parse", "--verify", f"{revision}^{{commit}}").strip()

    @cache  # noqa: B019 - a process works on one clone
    def _refuse_missing_history(self) -> None:
        """Refuse a shallow clone: what it lacks would look as if it had never happened."""
        if self.git("rev-parse", "--is-shallow-repository").strip() != "false":
            raise Refused("this clone is shallow, and history decides: run `git fetch --unshallow` first")

    def fetch_main(self) -> str:
        """Fetch the branch main, never a tag of that name, into a ref that nobody else writes."""
        self._refuse_missing_history()
        self.git("fetch", *FETCH, "origin", f"+refs/heads/main:{MAIN}")
        return self.resolve(MAIN)

    def has(self, commit: str) -> bool:
        """Tell whether a commit exists, which a failure of git does not answer."""
        return not self.git("cat-file", "--batch-check", stdin=f"{commit}^{{commit}}\n").endswith(" missing\n")

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Tell whether newer came after older; a complete clone has every ancestor of what it has."""
        if not self.has(older):
            return False
        done = self._run("merge-base", "--is-ancestor", older, newer)
        if done.returncode not in (0, 1):
            raise Refused(f"git merge-base: {_said(done)}")
        return done.returncode == 0

    @cache  # noqa: B019 - commits never change, and a process works on one clone
    def tree(self, commit: str) -> dict[str, str]:
        """Return every file of a commit: path to mode, type and blob id."""
        listing = self.git("ls-tree", "-r", "-z", "--full-tree", commit)
        entries = (line.split("\t", 1) for line in listing.split("\0") if line)
        return {path: entry for entry, path in entries}

    @cache  # noqa: B019 - as above
    def read(self, commit: str, path: str) -> str | None:
        entry = self.tree(commit).get(path)
        try:
            return self._bytes("cat-file", "blob", entry.split()[2]).decode() if entry else None
        except UnicodeDecodeError:
            raise Refused(f"{shown(path)} is not UTF-8") from None

    def time(self, commit: str) -> datetime:
        timestamp = self.git("rev-list", "--max-count=1", "--timestamp", commit).split()[0]
        return datetime.fromtimestamp(int(timestamp), UTC)

    def log(self, commit: str, path: str) -> list[str]:
        """Return the commits that changed a file, newest first."""
        return self.git("rev-list", commit, "--", path).split()

    def subject(self, commit: str) -> str:
        return self.git("cat-file", "commit", commit).split("\n\n", 1)[1].splitlines()[0]

    def difference(self, commit: str) -> str:
        """Show what a commit changed."""
        options = ("--no-commit-id", "-p", "--unified=1", "--no-color", "--no-ext-diff", "--no-textconv")
        return self._bytes("diff-tree", *options, commit).decode(errors="replace")

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
        """Push without force; return False when the branch has moved, raise Declined when a rule forbids it."""
        done = self._run("push", *PUSH, "origin", f"{commit}:refs/heads/{branch}")
        rejected = [line for line in done.stdout.splitlines() if line.startswith(b"!")]
        if any(line.endswith((b"declined)", b"rule violations)")) for line in rejected):
            raise Declined(f"the rules of the repository forbid this push to {branch}: {_said(done)}")
        if done.returncode and not rejected:
            raise Refused(f"git push: {_said(done)}")
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


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


def _said(done: CompletedProcess[bytes]) -> str:
    return (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
