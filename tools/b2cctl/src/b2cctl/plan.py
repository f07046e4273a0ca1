"""Plan what to build, release and test, by comparison of a commit with the first environment's releases.

No base commit is used, so force-pushes, reverts, cancelled runs and first runs need no special case.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from b2cctl import releases, workspace
from b2cctl.git import shown
from b2cctl.releases import Release
from b2cctl.shop import Shop

EVERY_TEST_NEEDS = ("pyproject.toml", "requirements-dev.txt", "Makefile")


@dataclass(frozen=True)
class Verdict:
    """What to do for one service, with the reasons."""

    service: str
    inputs: str
    build: bool
    chart: bool
    reasons: list[str]


@dataclass(frozen=True)
class Suite:
    """Tests that run as one job: a name, and paths for pytest."""

    name: str
    paths: str


@dataclass(frozen=True)
class Plan:
    """What to build, release and test for one commit."""

    commit: str
    epoch: int
    services: list[Verdict]
    test: list[Suite]
    build: list[dict[str, str]]
    release: bool


def make_plan(shop: Shop) -> Plan:
    """Return the plan of a commit."""
    verdicts = [judge(shop, service) for service in shop.services]
    build = [
        {"service": verdict.service, "image": shop.address(verdict.service), "tag": tag(shop.commit)}
        for verdict in verdicts
        if verdict.build
    ]
    epoch = int(shop.repository.time(shop.commit).timestamp())
    release = any(verdict.build or verdict.chart for verdict in verdicts)
    return Plan(shop.commit, epoch, verdicts, list(suites_to_run(shop)), build, release)


def table(plan: Plan) -> str:
    """Return a plan as Markdown."""
    mark = {True: "yes", False: "no"}
    rows = [f"| {v.service} | {mark[v.build]} | {mark[v.chart]} | {'; '.join(v.reasons)} |" for v in plan.services]
    suites = ", ".join(suite.name for suite in plan.test) or "none"
    return "\n".join(["| service | build | chart | why |", "|---|---|---|---|", *rows, "", f"Tests: {suites}\n"])


def tag(commit: str) -> str:
    return f"sha-{commit[:12]}"


def judge(shop: Shop, service: str) -> Verdict:
    """Decide whether to build a service and whether to release its chart."""
    inputs = workspace.digest(shop.inputs(service))
    recorded = shop.release(shop.order[0], service)
    if recorded is None:
        return Verdict(service, inputs, build=True, chart=True, reasons=[f"never released to {shop.order[0]}"])
    build = recorded.inputs != inputs
    chart = chart_differs(shop, recorded)
    reasons = [*(_why(shop, recorded) if build else ()), *(["its chart changed"] if chart else ())]
    if recorded.hold and reasons:
        reasons.append(f"held, so not released: {recorded.reason}")
    return Verdict(service, inputs, build, chart, reasons or ["nothing it is made of changed"])


def chart_differs(shop: Shop, recorded: Release) -> bool:
    released = shop.at(recorded.chart_revision)
    return released is None or released.chart(recorded.service) != shop.chart(recorded.service)


def _why(shop: Shop, recorded: Release) -> Iterator[str]:
    now, built = shop.inputs(recorded.service), shop.at(recorded.source_sha)
    before = built.inputs(recorded.service) if built else {}
    if workspace.digest(before) != recorded.inputs:
        yield "its inputs are not the recorded ones"
        return
    changed = sorted(path for path in now.keys() | before.keys() if now.get(path) != before.get(path))
    yield f"{shown(changed[0])} changed" + (f" and {len(changed) - 1} more" if changed[1:] else "")


def suites_to_run(shop: Shop) -> Iterator[Suite]:
    """Yield the suites whose files differ from those of every released commit, which were tested before."""
    released = [at for commit in sorted(_released_commits(shop)) if (at := shop.at(commit))]
    for suite in _suites(shop):
        files = _files(shop, suite)
        if all(_files(before, suite) != files for before in released):
            yield suite


def _released_commits(shop: Shop) -> set[str]:
    recorded = [release for service in shop.services if (release := shop.release(shop.order[0], service))]
    return {commit for release in recorded for commit in (release.source_sha, release.chart_revision)}


def _suites(shop: Shop) -> Iterator[Suite]:
    for kind in ("libs", "services"):
        yield from (Suite(name, f"{kind}/{name}") for name in workspace.projects(shop.tree, kind))
    yield Suite("charts", "helm")
    yield Suite("repository", "tests tools")


def _files(shop: Shop, suite: Suite) -> dict[str, str]:
    """Return the files on which a suite's result depends."""
    everything = {path: blob for path, blob in shop.tree.items() if not releases.are_at(path)}
    if suite.name == "repository":
        return everything
    if suite.name == "charts":
        folders = ["helm", "gitops", "tools"]
    elif f"{suite.paths}/pyproject.toml" in shop.tree:
        folders = workspace.closure(shop.read, suite.paths)
    else:  # a project that did not exist yet in this commit
        folders = []
    common = {path: blob for path, blob in everything.items() if path in EVERY_TEST_NEEDS}
    return common | workspace.below(everything, folders)
