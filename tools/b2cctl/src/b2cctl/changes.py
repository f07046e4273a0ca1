"""Compute changes of gitops/envs/*/releases: release, promote, roll back, unhold.

Each function reads one commit of main and returns what to write on top of it. When another push comes first, it is
called again with the new commit.
"""

from collections.abc import Mapping, Sequence
from itertools import dropwhile

from b2cctl import releases, workspace
from b2cctl.git import Change, Refused
from b2cctl.plan import chart_differs, tag
from b2cctl.releases import Image, Origin, Release
from b2cctl.shop import Shop


def release(main: Shop, built: Shop, digests: Mapping[str, str], run_url: str) -> tuple[dict[str, Release], list[str]]:
    """Return the releases of one commit's builds in the first environment, and a line of text per service."""
    if not main.repository.is_ancestor(built.commit, main.commit):
        raise Refused(f"{built.commit[:12]} is not in the history of main: nothing of it is released")
    if unknown := digests.keys() - set(built.services):
        raise Refused(f"no such service: {', '.join(sorted(unknown))}")
    wanted, lines = {}, []
    for service in built.services:
        recorded = main.release(main.order[0], service)
        new = _next_release(built, service, recorded, digests.get(service), run_url)
        line = _why_not(main, built, recorded) if recorded and new else None
        if new and not line:
            wanted[service] = new
        lines.append(f"{service}: {line or ('released' if new else 'nothing to release')}")
    return wanted, lines


def _next_release(built: Shop, service: str, recorded: Release | None, digest: str | None, run: str) -> Release | None:
    inputs = workspace.digest(built.inputs(service))
    chart = built.commit if recorded is None or chart_differs(built, recorded) else recorded.chart_revision
    if recorded and recorded.inputs == inputs:
        new = recorded.with_changes(chart_revision=chart, run_url=run)
        return new if new.runs() != recorded.runs() else None
    if digest is None:
        return None  # its build failed: the chart of this commit may need the image of this commit
    image = Image(repository=built.address(service), tag=tag(built.commit), digest=digest)
    return Release(
        service=service, chart_revision=chart, image=image, inputs=inputs, source_sha=built.commit, run_url=run
    )


def _why_not(main: Shop, built: Shop, recorded: Release) -> str | None:
    if recorded.hold:
        return f"held: {recorded.reason}"
    newer = _newer(main, recorded, built.commit, built.commit)
    return f"stale: {main.order[0]} already records {newer[:12]}" if newer else None


def _newer(main: Shop, before: Release, source_sha: str, chart_revision: str) -> str | None:
    """Return the recorded commit that these two commits would revert; None when they revert nothing."""
    for old, new in ((before.source_sha, source_sha), (before.chart_revision, chart_revision)):
        # A recorded commit that a force-push removed from main does not count.
        if main.repository.is_ancestor(old, main.commit) and not main.repository.is_ancestor(old, new):
            return old
    return None


def promote(main: Shop, source: str, target: str, services: Sequence[str], digest: str | None) -> dict[str, Release]:
    """Return copies of the source environment's current releases; raise Refused with the reason."""
    _check_step(main, source, target)
    return {service: _promoted(main, source, target, service, digest) for service in services}


def _check_step(main: Shop, source: str, target: str) -> None:
    steps = list(zip(main.order, main.order[1:], strict=False))
    if (source, target) not in steps:
        legal = ", ".join(f"{before} to {after}" for before, after in steps)
        raise Refused(f"{source} to {target} is no step of gitops/policy/promotion.yaml: {legal}")


def _promoted(main: Shop, source: str, target: str, service: str, digest: str | None) -> Release:
    current, before = recorded(main, source, service), main.release(target, service)
    if digest and current.image.digest != digest:
        raise Refused(f"{source} runs {service} {current.image.digest}, not {digest}")
    if current.image.repository != main.address(service):
        raise Refused(f"{source} runs {current.image.repository}, but this shop's image is {main.address(service)}")
    for env, found in ((source, current), (target, before)):
        if found and found.hold:
            raise Refused(f"{service} is held in {env}: {found.reason}")
    if before and (newer := _newer(main, before, current.source_sha, current.chart_revision)):
        raise Refused(f"{target} already records {newer[:12]} of {service}: to go back, roll back")
    written, _ = next(main.history(source, service))
    return current.with_changes(promoted_from=Origin(env=source, commit=written))


def recorded(main: Shop, env: str, service: str) -> Release:
    """Return the environment's current release; raise Refused when there is none."""
    found = main.release(env, service)
    if found is None:
        raise Refused(f"{env} records no release of {service}")
    return found


def rollback(main: Shop, env: str, service: str, reason: str, to: str | None) -> Release:
    """Return the previous release, or the one as of commit `to`, marked as held."""
    current = recorded(main, env, service)
    wanted = _recorded_at(main, env, service, to) if to else _previous(main, env, current)
    if wanted is None:
        raise Refused(f"{env} never ran another {service}" + (f" as of {to}" if to else ""))
    return wanted.with_changes(hold=True, reason=reason)


def _previous(main: Shop, env: str, current: Release) -> Release | None:
    # After a roll-back, search backwards from where the current release was first recorded.
    released = (each for _, each in main.history(env, current.service) if not each.hold)
    from_there = dropwhile(lambda each: each.runs() != current.runs(), released)
    return next((each for each in from_there if each.runs() != current.runs()), None)


def _recorded_at(main: Shop, env: str, service: str, to: str) -> Release | None:
    commit, is_ancestor = main.repository.resolve(to), main.repository.is_ancestor
    return next((each for written, each in main.history(env, service) if is_ancestor(written, commit)), None)


def unhold(main: Shop, env: str, service: str) -> Release:
    """Return the current release without its hold, so that later releases replace it."""
    current = recorded(main, env, service)
    if not current.hold:
        raise Refused(f"{service} is not held in {env}")
    return current.with_changes(hold=False, reason=None)


def write(main: Shop, env: str, wanted: Mapping[str, Release], title: str) -> Change | None:
    """Return the files and the commit message, with trailers for programs; None when nothing changes."""
    files = {releases.path(env, service): releases.dump(each) for service, each in wanted.items()}
    files = {path: text for path, text in files.items() if main.repository.read(main.commit, path) != text}
    trailers = [f"B2c-Env: {env}", *(line for each in wanted.values() for line in _trailers(each))]
    return Change(files, f"{title}\n\n" + "\n".join(trailers) + "\n") if files else None


def _trailers(new: Release) -> list[str]:
    return [f"B2c-Service: {new.service}", f"B2c-Digest: {new.image.digest}", f"B2c-Run: {new.run_url}"]
