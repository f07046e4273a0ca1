"""Read the shop's files from one commit: owner, services, environments, releases."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from b2cctl import releases, workspace
from b2cctl.git import Refused, Repository, shown
from b2cctl.releases import Release

POLICY = "gitops/policy/shop.yaml"


@dataclass(frozen=True)
class Shop:
    """The shop at one commit."""

    repository: Repository
    commit: str

    @cached_property
    def tree(self) -> dict[str, str]:
        return self.repository.tree(self.commit)

    def read(self, path: str) -> str:
        text = self.repository.read(self.commit, path)
        if text is None:
            raise Refused(f"{shown(path)} is not in {self.commit[:12]}")
        return text

    @cached_property
    def owner(self) -> dict[str, str]:
        """Return owner, repo and registry."""
        found = workspace.parse(self.read, POLICY)
        for name in ("owner", "repo", "registry"):
            if not isinstance(found.get(name), str):
                raise Refused(f'{POLICY} should hold {name}: "...", in quotation marks')
        return found

    @cached_property
    def slug(self) -> str:
        return f"{self.owner['owner']}/{self.owner['repo']}"

    @cached_property
    def order(self) -> list[str]:
        return list(workspace.parse(self.read, "gitops/policy/promotion.yaml")["order"])

    @cached_property
    def services(self) -> list[str]:
        found = workspace.projects(self.tree, "services")
        for service in found:
            if not re.fullmatch(releases.NAME, service):
                raise Refused(
                    f"services/{shown(service)}: the name becomes that of an image and of objects in the cluster:"
                    " small letters, digits and hyphens, at most 53"
                )
        return found

    def address(self, service: str) -> str:
        """Name an image; GitHub's names may have capitals, those of images never do."""
        return f"{self.owner['registry']}/{self.owner['owner']}/{service}".lower()

    def inputs(self, service: str) -> dict[str, str]:
        """Return the files that go into a service's image."""
        return workspace.shipped(self.tree, workspace.closure(self.read, f"services/{service}"))

    def chart(self, service: str) -> dict[str, str]:
        """Return the files of a service's chart and its library charts."""
        folder = f"helm/{service}"
        if f"{folder}/Chart.yaml" not in self.tree:
            return {}
        return workspace.shipped(self.tree, workspace.chart_closure(self.read, folder))

    def release(self, env: str, service: str) -> Release | None:
        path = releases.path(env, service)
        return releases.load(self.read(path), path) if path in self.tree else None

    def history(self, env: str, service: str) -> Iterator[tuple[str, Release]]:
        """Yield an environment's releases of a service, newest first, each with the commit that wrote it."""
        for commit in self.repository.log(self.commit, releases.path(env, service)):
            if release := Shop(self.repository, commit).release(env, service):
                yield commit, release

    def at(self, commit: str) -> "Shop | None":
        """Return the shop at another commit; None when a force-push removed that commit."""
        return Shop(self.repository, commit) if self.repository.has(commit) else None
