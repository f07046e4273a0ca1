"""Check that changes of gitops/ are those that b2cctl would write."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from b2cctl import changes, github, releases
from b2cctl.git import Refused, shown
from b2cctl.releases import Release
from b2cctl.shop import Shop


def objections(base: Shop, head: Shop) -> Iterator[str]:
    """Yield the reasons against merging head into base."""
    changed = sorted(path for path in base.tree.keys() | head.tree.keys() if base.tree.get(path) != head.tree.get(path))
    touched = [path for path in changed if releases.are_at(path)]
    if touched and (others := sorted(set(changed) - set(touched))):
        yield f"releases travel alone, but this change also touches {', '.join(map(shown, others))}"
    for path in touched:
        try:
            _check(base, head, path)
        except Refused as refusal:
            yield f"{shown(path)}: {refusal.message}"


def _check(base: Shop, head: Shop, path: str) -> None:
    if path not in head.tree:
        _check_removal(base, path)
        return
    places = {releases.path(env, service): (env, service) for env in base.order for service in base.services}
    if path not in places:
        raise Refused("no release of an environment and a service of this shop")
    if not head.tree[path].startswith("100644 blob "):
        raise Refused("no ordinary file: b2cctl writes no links and nothing executable")
    env, service = places[path]
    text = head.read(path)
    new = releases.load(text, "not a release")
    if text not in (releases.dump(legal) for legal in _legal(base, env, service, new)):
        raise Refused(f"not what promote, rollback or unhold would write: {_reason(base, env, service)}")
    before = base.release(env, service)
    if env == base.order[0] and not new.hold and (before is None or before.image != new.image):
        github.verify_attestation(new, base.slug)


def _check_removal(base: Shop, path: str) -> None:
    """Raise Refused unless a service is removed in reverse order of promotion (docs/runbooks/remove-service.md)."""
    env, service = path.split("/")[2], PurePosixPath(path).stem
    later = base.order[base.order.index(env) + 1 :] if env in base.order else base.order
    if running := [each for each in later if base.release(each, service)]:
        raise Refused(f"{running[-1]} runs {service}: remove it there first")
    if env == base.order[0] and service in base.services:
        raise Refused(f"the next run on main would release it again: delete services/{service} first")


def _legal(base: Shop, env: str, service: str, new: Release) -> Iterator[Release]:
    """Yield every release that b2cctl could write for this service."""
    current = base.release(env, service)
    if new.hold:
        yield from (each.with_changes(hold=True, reason=new.reason) for _, each in base.history(env, service))
    elif current and current.hold:
        yield changes.unhold(base, env, service)
    elif env == base.order[0]:
        yield from _released(base, service, new)
    else:
        yield changes.promote(base, _source(base, env), env, [service], None)[service]


def _released(base: Shop, service: str, new: Release) -> Iterator[Release]:
    """Yield what a run on main would record, in case its release came as a pull request; the digest is unproven."""
    for commit in {new.source_sha, new.chart_revision}:
        if (built := base.at(commit)) and service in built.services:
            wanted, _ = changes.release(base, built, {service: new.image.digest}, new.run_url)
            yield from (each for name, each in wanted.items() if name == service)


def _source(base: Shop, env: str) -> str:
    return base.order[base.order.index(env) - 1]


def _reason(base: Shop, env: str, service: str) -> str:
    if env == base.order[0]:
        return f"only the pipeline releases to {env}"
    source = _source(base, env)
    return f"{source} records {changes.recorded(base, source, service).image.digest}"
