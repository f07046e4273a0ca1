"""Write the catalogue as the CSV file that the importer reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from order_service import money
from order_service.catalog.fields import written_options
from order_service.catalog.import_file import COLUMNS

_STEP = 1000
PAGE = """
SELECT position, id, name, description, category, price_minor, currency, stock, active, images, tax_class, group_id,
       options
FROM products WHERE position > %(after)s ORDER BY position LIMIT %(step)s"""


def export(fetch_all: Callable[[str, Mapping[str, Any]], Sequence[Any]]) -> Iterator[str]:
    """Yield the file in parts, products in the catalogue's own order."""
    yield _lines([COLUMNS])
    after = 0
    while rows := fetch_all(PAGE, {"after": after, "step": _STEP}):
        yield _lines([_cells(*row[1:]) for row in rows])
        after = rows[-1][0]


def _cells(*row: Any) -> tuple[Any, ...]:
    identifier, name, description, category, price, currency, stock, active, images, tax_class, group, options = row
    return (
        *(identifier, name, description, category, money.amount(price, currency), currency, stock),
        *("yes" if active else "no", " ".join(images or ()), tax_class, group or "", written_options(options or {})),
    )


def _lines(rows: list[tuple[Any, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
