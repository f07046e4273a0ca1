"""Draw a picture for a product that has none: one drawing per family of products, in a tint per product."""

from __future__ import annotations

import zlib
from importlib.resources import files
from typing import Any

from chassis.problems import NotFound

_FOLDER = files("order_service.catalog") / "drawings"
_HUES = 24
DRAWINGS = {entry.name.removesuffix(".svg"): entry.read_text("utf-8") for entry in _FOLDER.iterdir()}
OTHER = "other"


def url(product: dict[str, Any]) -> str:
    """Return the URL of the product's picture."""
    family = product["category"].lower().replace(" ", "-")
    hue = zlib.crc32(product["id"].encode()) % _HUES * (360 // _HUES)
    return f"/shop/pictures/{family if family in DRAWINGS else OTHER}-{hue}.svg"


def draw(family: str, hue: int) -> str:
    """Return the SVG document; raise NotFound for a family or hue that no URL has."""
    if family not in DRAWINGS or hue not in range(0, 360, 360 // _HUES):
        raise NotFound
    return DRAWINGS[family].replace("HUE", str(hue))
