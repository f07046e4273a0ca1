from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import pytest

from order_service.catalog import importer

HEADER = "id,name,description,category,price,currency,stock\n"
GOOD = "p1,Mouse,A mouse,Things,19.99,EUR,5\n"


def read(tmp_path: Path, content: str | bytes) -> list[importer.Product]:
    file = tmp_path / "products.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return importer.read(file, progress=lambda _: nullcontext(Mock()))


def test_text_of_a_file_is_trimmed_and_composed(tmp_path: Path) -> None:
    [product] = read(tmp_path, HEADER + "p1,So\u0308fa ,\u00a0Mo\u0308bel,Mo\u0308bel,5,EUR,0\n")
    assert product[1:4] == ("S\u00f6fa", "M\u00f6bel", "M\u00f6bel")


def test_a_good_file_is_read_in_its_order(tmp_path: Path) -> None:
    products = read(tmp_path, "\ufeff" + HEADER + "p2,Lamp,,Home,5,EUR,0\n\n" + GOOD)
    assert products == [
        importer.Product("p2", "Lamp", "", "Home", 500, "EUR", 0),
        importer.Product("p1", "Mouse", "A mouse", "Things", 1999, "EUR", 5),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("p1,Mouse,,Things,19.99,EUR", "6 columns instead of 7"),
        ("p 1,Mouse,,Things,19.99,EUR,5", "id 'p 1' is not"),
        ("p1,,,Things,19.99,EUR,5", "name must have"),
        (f"p1,Mouse,{'x' * 5001},Things,19.99,EUR,5", "description has more"),
        ("p1,Mouse,,,19.99,EUR,5", "category must have"),
        ("p1,Mouse,,Things,free,EUR,5", "'free' is not an amount"),
        ("p1,Mouse,,Things,-1,EUR,5", "'-1' is not an amount"),
        ("p1,Mouse,,Things,19.99,euro,5", "currency 'euro'"),
        ("p1,Mouse,,Things,19.99,EUR,-5", "stock '-5'"),
        ("p1,Mouse,,Things,19.99,EUR,99999999999", "stock '99999999999'"),
        ("p1,Mo\x00use,,Things,19.99,EUR,5", "the text contains U+0000, a control or invisible character"),
        ("p1,Mo\u202euse,,Things,19.99,EUR,5", "the text contains U+202E"),
        ("p0,Mouse,,Things,19.99,EUR,5", "id 'p0' stands in the file before"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_reason(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(importer.BadFile) as refusal:
        read(tmp_path, HEADER + "p0,First,,Things,1,EUR,1\n" + row + "\n")
    assert str(refusal.value).startswith(f"line 3: {reason}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "line 1: the columns must be id,name,"),
        ("name,id\n", "line 1: the columns must be id,name,"),
        (HEADER.encode() + b"p1,M\xffuse,,Things,1,EUR,1\n", "not UTF-8 text"),
        (HEADER + 'p1,"Mouse"x,,Things,1,EUR,1\n', "line 2: "),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused_with_a_reason(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    with pytest.raises(importer.BadFile) as refusal:
        read(tmp_path, content)
    assert str(refusal.value).startswith(reason)


def test_only_the_first_faults_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    with pytest.raises(importer.BadFile) as refusal:
        read(tmp_path, HEADER + "bad\n" * 25)
    lines = str(refusal.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 5 more"
