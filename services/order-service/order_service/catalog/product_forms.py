"""The form of a product: its fields as they are typed, read and shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from chassis.currencies import DECIMALS, decimals
from chassis.pages import formatting
from chassis.pages.forms import Form, Model, read_form, typed
from order_service.catalog import fields
from order_service.catalog.staff_schemas import CreateProduct

CURRENCIES = sorted(DECIMALS)
_TEXTS = ("name", "description", "category", "price", "currency", "tax_class", "group")
_ORDER = {name: place for place, name in enumerate(CreateProduct.model_fields)}
_UNITS = re.compile(r"[+-]?[0-9]{1,12}")


def product_form(model: type[Model], more: dict[str, Callable[[str], Any]]) -> Form[Model]:
    """Return the form of a product; `more` are readers of fields that only this form has."""
    values = typed([*_TEXTS, "images", "options", *more])
    given = values | {"tax_class": values["tax_class"] or fields.STANDARD}
    return read_with(model, values, given, {"images": fields.images, "options": fields.options, **more})


def read_with(
    model: type[Model], values: dict[str, str], given: dict[str, str], readers: dict[str, Callable[[str], Any]]
) -> Form[Model]:
    """Return the form of what the readers make of `given`; what a reader refuses stands beside its field."""
    read, faults = dict[str, Any](given), dict[str, str]()
    for name in readers.keys() & given.keys():
        try:
            read[name] = readers[name](given[name])
        except ValueError as refused:
            faults[name] = str(refused)
            del read[name]
    form = read_form(model, values, read)
    for name, fault in faults.items():
        form.errors.pop(name, None)  # the schema says only that it is missing
        form.refuse(fault, name)
        form.model = None
    return form


def whole_number(text: str) -> int:
    if not _UNITS.fullmatch(text):
        raise ValueError("write a whole number such as 20")
    return int(text)


def shown_values(product: dict[str, Any]) -> dict[str, str]:
    """Return the product's values as they are typed."""
    texts = {name: product[name] or "" for name in _TEXTS if name != "price"}
    return texts | {
        "price": f"{product['price']:.{decimals(product['currency'])}f}",
        "images": "\n".join(product["images"]),
        "options": fields.written_options(product["options"]),
    }


def readable(values: Mapping[str, Any] | None, currency: str = "") -> dict[str, Any]:
    """Return a product's values, or a few of them, in the form's order; the price as customers see it."""
    ordered = dict(sorted((values or {}).items(), key=lambda value: _ORDER.get(value[0], len(_ORDER))))
    if isinstance(amount := ordered.get("price"), int | float):
        ordered["price"] = formatting.price(amount, ordered.get("currency") or currency)
    return ordered


def changed(product: dict[str, Any], sent: Mapping[str, str]) -> list[str]:
    """Return the names of the values that are no longer those of the product; price and currency go together."""
    shown = shown_values(product)
    names = [name for name, value in shown.items() if value.split() != sent[name].split()]
    return names + [name for name in ("price", "currency") if {"price", "currency"} & {*names} and name not in names]


def version(product: dict[str, Any]) -> str:
    """Return what differs once somebody has changed the product; its stock changes with every sale."""
    return hashlib.sha256(orjson.dumps({**product, "stock": None})).hexdigest()[:16]
