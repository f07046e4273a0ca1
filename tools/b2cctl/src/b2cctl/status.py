"""Which service runs which image in which environment, since when."""

from b2cctl import releases
from b2cctl.shop import Shop


def rows(shop: Shop) -> list[dict[str, str]]:
    """List every recorded release, in the order of promotion."""
    return [row for env in shop.order for service in shop.services if (row := _row(shop, env, service))]


def _row(shop: Shop, env: str, service: str) -> dict[str, str] | None:
    release = shop.release(env, service)
    if release is None:
        return None
    path = releases.path(env, service)
    since = shop.commit
    for version in shop.repository.versions(shop.commit, path):
        if releases.load(version.text, path).runs() != release.runs():
            break
        since = version.commit
    return {
        "env": env,
        "service": service,
        "tag": release.image.tag,
        "image": f"{release.image.repository}@{release.image.digest}",
        "since": shop.repository.time(since).isoformat(timespec="minutes"),
        "held": release.reason or "",
    }
