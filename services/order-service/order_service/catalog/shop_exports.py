"""Read the product exports of Shopify and WooCommerce as rows of this shop's own columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from markupsafe import Markup

from order_service.catalog.fields import MOST_IMAGES

OTHER = "Other"

Cells = Mapping[str, str]
"""The cells of a record by the name of their column in small letters."""


class Row(NamedTuple):
    """A product's cells by our column, and the names that those columns have in the file."""

    line: int
    cells: dict[str, str]


class Export(NamedTuple):
    """Another shop's export: how to know and how to read it; `names` are its columns for ours."""

    signs: frozenset[str]
    names: Mapping[str, str]
    rows: Callable[[Sequence[tuple[int, Cells]]], Iterator[Row]]


def _text(html: str) -> str:
    return str(Markup(html).striptags())  # noqa: S704 - the tags go


def _few(pictures: Iterable[str]) -> list[str]:
    """Return different pictures, just too many at most: every variant of an article repeats them."""
    return list(islice(dict.fromkeys(pictures), MOST_IMAGES + 1))


def _shopify(records: Sequence[tuple[int, Cells]]) -> Iterator[Row]:
    """Yield a row for each variant; an article's other data stand in its first record alone."""
    articles: dict[str, list[tuple[int, Cells]]] = {}
    for line, cells in records:
        articles.setdefault(cells["handle"], []).append((line, cells))
    for handle, lines in articles.items():
        first = lines[0][1]
        variants = [(line, cells) for line, cells in lines if cells["variant price"]]
        pictures = _few(cells["image src"] for _, cells in lines if cells.get("image src"))
        for line, cells in variants:
            yield Row(line, _shopify_variant(handle, first, cells, pictures, several=len(variants) > 1))


def _shopify_variant(handle: str, first: Cells, cells: Cells, pictures: list[str], *, several: bool) -> dict[str, str]:
    chosen = {
        first.get(f"option{number} name", ""): cells.get(f"option{number} value", "")
        for number in (1, 2, 3)
        if several and cells.get(f"option{number} value")
    }
    category = first.get("type") or first.get("product category", "").rpartition(">")[2].strip() or OTHER
    stock = cells.get("variant inventory qty", "")
    is_active = first.get("status", "active") == "active" and first.get("published", "true").lower() == "true"
    return {
        "id": cells.get("variant sku") or "-".join([handle, *chosen.values()]),
        "name": ", ".join([first.get("title", ""), *chosen.values()]),
        "description": _text(first.get("body (html)", "")),
        "category": category,
        "price": cells["variant price"],
        "stock": "0" if stock.startswith("-") else stock,  # Shopify sells below nothing
        "active": "yes" if is_active else "no",
        "images": " ".join(dict.fromkeys([image for image in [cells.get("variant image", ""), *pictures] if image])),
        "group": handle if several else "",
        "options": "; ".join(f"{name}={value}" for name, value in chosen.items()),
    }


def _woocommerce(records: Sequence[tuple[int, Cells]]) -> Iterator[Row]:
    """Yield a row for each simple product and each variation, which takes from its parent what it lacks."""
    parents = {key: cells for _, cells in records for key in (cells.get("sku"), f"id:{cells.get('id')}") if key}
    for line, cells in records:
        kind = cells["type"].partition(",")[0].strip()
        if kind in {"simple", "variation"}:
            parent = parents.get(cells.get("parent", ""), {}) if kind == "variation" else {}
            yield Row(line, _woocommerce_product(cells, parent))


def _woocommerce_product(cells: Cells, parent: Cells) -> dict[str, str]:
    def get(column: str) -> str:
        return cells.get(column) or parent.get(column, "")

    chosen = {
        cells[f"attribute {number} name"]: cells.get(f"attribute {number} value(s)", "")
        for number in range(1, 11)
        if parent and cells.get(f"attribute {number} name") and cells.get(f"attribute {number} value(s)")
    }
    return {
        "id": cells.get("sku") or f"woo-{cells.get('id', '')}",
        "name": cells.get("name") or get("name"),
        "description": _text(get("description") or get("short description")),
        "category": get("categories").partition(",")[0].rpartition(">")[2].strip() or OTHER,
        "price": get("regular price"),
        "stock": cells.get("stock", ""),
        "active": "yes" if cells.get("published") == "1" else "no",
        "images": " ".join(url.strip() for url in get("images").split(",") if url.strip()),
        "tax_class": get("tax class"),
        "group": parent.get("sku") or (f"woo-{parent['id']}" if parent else ""),
        "options": "; ".join(f"{name}={value}" for name, value in chosen.items()),
    }


EXPORTS = {
    "shopify": Export(
        frozenset({"handle", "title", "variant price"}),
        {
            "id": "Variant SKU", "name": "Title", "description": "Body (HTML)", "category": "Type",
            "price": "Variant Price", "stock": "Variant Inventory Qty", "active": "Status", "images": "Image Src",
            "group": "Handle", "options": "Option1 Value",
        },
        _shopify,
    ),
    "woocommerce": Export(
        frozenset({"type", "sku", "regular price"}),
        {
            "id": "SKU", "name": "Name", "description": "Description", "category": "Categories",
            "price": "Regular price", "stock": "Stock", "active": "Published", "images": "Images",
            "tax_class": "Tax class", "group": "Parent", "options": "Attribute 1 value(s)",
        },
        _woocommerce,
    ),
}  # fmt: skip
