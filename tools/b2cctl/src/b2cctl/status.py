"""List the current releases."""

from itertools import takewhile

from b2cctl.releases import Release
from b2cctl.shop import Shop


def rows(shop: Shop) -> list[dict[str, str]]:
    """Return a row per release, in the order of promotion."""
    recorded = ((env, shop.release(env, service)) for env in shop.order for service in shop.services)
    return [_row(shop, env, release) for env, release in recorded if release]


def _row(shop: Shop, env: str, release: Release) -> dict[str, str]:
    same = takewhile(lambda written: written[1].runs() == release.runs(), shop.history(env, release.service))
    *_, (since, _) = same
    return {
        "env": env,
        "service": release.service,
        "tag": release.image.tag,
        "image": f"{release.image.repository}@{release.image.digest}",
        "since": shop.repository.time(since).isoformat(timespec="minutes"),
        "held": release.reason or "",
    }
