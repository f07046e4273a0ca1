"""Stylesheet, script and logo: cached for ever under the URL of their version, and small."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from chassis.http.openapi import Api
from chassis.pages.assets import ASSETS
from chassis.pages.brand import BRAND, Brand
from chassis.pages.formatting import countries, date, price, time

# fmt: off
LARGEST = {  # 20 KB of script
    "shop.css": 15_000, "backoffice.css": 11_000, "shop.js": 14_000, "passkeys.js": 6_000, "icon.svg": 2_000,
}
# fmt: on
FOR_EVER = "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", ASSETS)
def test_asset_is_small_and_kept_for_ever_under_its_version(start: Callable[..., Api], name: str) -> None:
    client, version = start().test_client(), ASSETS[name].version
    answer = client.get(f"/toy/assets/{name}?v={version}")
    assert (answer.status_code, answer.data, answer.headers["Cache-Control"]) == (200, ASSETS[name].body, FOR_EVER)
    for other in ("", "?v=", f"?v={version}0", f"?v={version[:-1]}"):
        assert client.get(f"/toy/assets/{name}{other}").headers["Cache-Control"] == "no-cache"
    assert len(answer.data) <= LARGEST[name]


def test_assets_have_the_types_that_browsers_insist_on(start: Callable[..., Api]) -> None:
    client = start().test_client()
    types = {name: client.get(f"/toy/assets/{name}").mimetype for name in ASSETS}
    assert types == {
        "shop.css": "text/css",
        "backoffice.css": "text/css",
        "shop.js": "text/javascript",
        "passkeys.js": "text/javascript",
        "icon.svg": "image/svg+xml",
    }


@pytest.mark.parametrize("name", ["nothing.css", "..%2fbrand%2fbrand.toml", "%00", "shop.css%20"])
def test_what_is_no_asset_is_not_found(start: Callable[..., Api], name: str) -> None:
    assert start().test_client().get(f"/toy/assets/{name}").status_code == 404


def test_pages_name_the_version_of_their_assets(start: Callable[..., Api]) -> None:
    text = start().test_client().get("/nothing", headers={"Accept": "text/html"}).text
    named = set(re.findall(r'(?:href|src)="/toy/assets/([^"]+)"', text))
    assert named == {f"{name}?v={ASSETS[name].version}" for name in ("shop.css", "shop.js", "icon.svg")}


def test_the_stylesheet_begins_with_the_brands_colours() -> None:
    assert ASSETS["shop.css"].body.decode().startswith(f":root{{--accent:{BRAND.colours.accent};")
    assert BRAND.colours.dark_accent in ASSETS["shop.css"].body.decode()
    assert BRAND.colours.accent in ASSETS["icon.svg"].body.decode()


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"colours": {"accent": "green"}}, {"colours": {"accent": "#1f5c4d;}"}}, {"slogan": "more"}],
)
def test_a_wrong_brand_stops_the_start(change: dict[str, object]) -> None:
    brand = BRAND.model_dump()
    colours = brand["colours"] | change.get("colours", {})
    with pytest.raises(ValidationError):
        Brand.model_validate(brand | change | {"colours": colours})


def test_prices_and_times_are_written_as_the_locale_does() -> None:
    assert price(1234.5, "EUR") == "€1,234.50"
    assert price(0, "JPY") == "JP¥0"
    assert date("2026-03-01T23:30:00Z") == "1 March 2026"
    assert time("2026-03-01T23:30:00+00:00") == "1 March 2026, 23:30"


def test_every_country_can_be_chosen_by_its_name() -> None:
    assert ("DE", "Germany") in countries()
    assert len(countries()) == 249
    assert [name for _, name in countries()] == sorted(name for _, name in countries())
