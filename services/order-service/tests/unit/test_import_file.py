"""Files as people have them, and what each refusal says."""

from __future__ import annotations

from typing import Any

import pytest

from order_service.catalog import csv_file, import_file
from order_service.catalog.csv_file import BadFile
from order_service.catalog.import_file import Options, Product

HEADER = "id,name,description,category,price,currency,stock\n"
GOOD = "p1,Mouse,A mouse,Things,19.99,EUR,5\n"
MOUSE = Product("p1", "Mouse", "A mouse", "Things", 1999, "EUR", 5)


def read(content: str | bytes, **options: Any) -> list[Product]:
    """Return the products, without their lines."""
    file = import_file.read(content if isinstance(content, bytes) else content.encode(), Options(**options))
    return [product._replace(line=0) for product in import_file.require(file)]


def faults(content: str | bytes, **options: Any) -> list[str]:
    with pytest.raises(BadFile) as refusal:
        read(content, **options)
    return str(refusal.value).splitlines()


def test_text_of_a_file_is_trimmed_and_composed() -> None:
    [product] = read(HEADER + "p1,So\u0308fa ,\u00a0Mo\u0308bel,Mo\u0308bel,5,EUR,0\n")
    assert product[1:4] == ("S\u00f6fa", "M\u00f6bel", "M\u00f6bel")


@pytest.mark.parametrize(
    "content",
    [
        HEADER + GOOD,
        "\ufeff" + HEADER + GOOD,
        (HEADER + GOOD).encode("utf-16"),
        (HEADER + GOOD).replace("\n", "\r\n"),
        (HEADER + GOOD).replace("\n", "\r"),
        (HEADER + GOOD).replace(",", ";"),
        (HEADER + GOOD).replace(",", "\t"),
        "sep=,\n" + HEADER + GOOD,
        "sep=;\n" + (HEADER + GOOD).replace(",", ";"),
        (HEADER + GOOD).replace(",", ";").replace("19.99", "19,99"),
        HEADER.upper() + GOOD,
        HEADER.replace(",", " , ") + GOOD,
        "stock,currency,price,category,description,name,id\n5,EUR,19.99,Things,A mouse,Mouse,p1\n",
        "id,name,description,category,price,currency,stock,shelf\np1,Mouse,A mouse,Things,19.99,EUR,5,B7\n",
        HEADER + GOOD + ",,,,,,\n\n  ,,,,,,\n\n\n",
        HEADER + GOOD.replace("\n", ",,\n"),
        HEADER.replace("\n", ",,\n") + GOOD.replace("\n", ",,\n"),
        HEADER + '"p1","Mouse","A mouse","Things","19.99","EUR","5"',
    ],
)
def test_file_is_read_as_people_have_it(content: str | bytes) -> None:
    assert read(content) == [MOUSE]


def test_file_in_another_encoding_is_read_when_named() -> None:
    content = (HEADER + "p1,Säge,,Things,5,EUR,1\n").encode("windows-1252")
    assert read(content, encoding="windows-1252")[0].name == "Säge"


def test_decimal_commas_are_read_when_said() -> None:
    assert read(HEADER + 'p1,Mouse,A mouse,Things,"19,99",EUR,5\n', decimal="comma") == [MOUSE]


def test_optional_columns_may_be_missing_and_blank_stock_keeps() -> None:
    assert read("id,name,price,currency\np1,Mouse,5,EUR\n") == [Product("p1", "Mouse", None, None, 500, "EUR")]
    assert read(HEADER + "p1,Mouse,,Things,5,EUR,\n")[0].stock is None
    assert read("id,name,price\np1,Mouse,5\n", currency="EUR")[0].currency == "EUR"


@pytest.mark.parametrize(("cell", "stock"), [("7", (7, False)), ("+20", (20, True)), ("-3", (-3, True))])
def test_stock_is_a_number_or_a_change(cell: str, stock: tuple[int, bool]) -> None:
    [product] = read(HEADER + f"p1,Mouse,,Things,5,EUR,{cell}\n")
    assert (product.stock, product.stock_is_change) == stock


def test_line_breaks_in_a_quoted_description_are_kept() -> None:
    [product] = read(HEADER + 'p1,Mouse,"One\r\nTwo\rThree\n",Things,5,EUR,1\r\n')
    assert product.description == "One\nTwo\nThree"


def test_columns_of_variants_are_read() -> None:
    header = "id,name,category,price,currency,active,images,tax_class,group,options\n"
    row = (
        "p1,Shirt,Wear,5,EUR,no,https://a.example/1.png https://a.example/2.png,reduced,shirt,Size=M; Colour=dark red\n"
    )
    [product] = read(header + row)
    assert product[8:13] == (
        *(False, ["https://a.example/1.png", "https://a.example/2.png"], "reduced", "shirt"),
        {"Size": "M", "Colour": "dark red"},
    )


@pytest.mark.parametrize("identifier", ["Becher-grün", "AL 25854", "-A100", "_MUG", "a.b_c-d+e", "緑茶", "1"])
def test_ids_as_merchants_have_them_are_accepted(identifier: str) -> None:
    assert read(HEADER + f"{identifier},Mouse,,Things,5,EUR,1\n")[0].id == identifier


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("p1,Mouse,,Things,19.99,EUR", "the row has 6 cells and the header 7: put texts that contain commas in quotes"),
        ("p1,Mouse,a,b,Things,19.99,EUR,5", "the row has 8 cells and the header 7: put texts that contain commas"),
        (",Mouse,,Things,19.99,EUR,5", "id '': an id is missing: fill it in"),
        ("TEE/RED/M,Mouse,,Things,19.99,EUR,5", "id 'TEE/RED/M': an id has letters, digits, spaces and . _ - +,"),
        ("TEE/RED/M,Mouse,,Things,19.99,EUR,5", "instead of / write for instance TEE-RED-M"),
        ("..,Mouse,,Things,19.99,EUR,5", "id '..': web addresses cannot hold an id of dots alone: add a letter"),
        ("4.00638E12,Mouse,,Things,19.99,EUR,5", "id '4.00638E12': a spreadsheet has rounded this number: format"),
        ('"4,00638E+12",Mouse,,Things,19.99,EUR,5', "id '4,00638E+12': a spreadsheet has rounded this number"),
        ("p1,,,Things,19.99,EUR,5", "name '': a name is missing: fill it in"),
        ('p1,"Mo\nuse",,Things,19.99,EUR,5', "name 'Mo\\nuse': a name is one line: leave out the line break"),
        (f"p1,Mouse,{'x' * 5001},Things,19.99,EUR,5", "a description has at most 5000 characters, this one 5001"),
        ("p1,Mouse,,,19.99,EUR,5", "category '': a category is missing"),
        ("p1,Mouse,,Things,free,EUR,5", "price 'free': an amount is a number of digits: write one such as 19.99"),
        ("p1,Mouse,,Things,-1,EUR,5", "price '-1': an amount is a number of digits"),
        ("p1,Mouse,,Things,1e3,EUR,5", "price '1e3': write digits, and decimals after a point, and nothing else"),
        ("p1,Mouse,,Things,.99,EUR,5", "price '.99': write digits, and decimals after a point, and nothing else: 0.99"),
        (
            'p1,Mouse,,Things,"9,50",EUR,5',
            "price '9,50': decimals follow a point: write 9.50, or say that the file has",
        ),
        (
            'p1,Mouse,,Things,"1,299.00",EUR,5',
            "price '1,299.00': write digits, and decimals after a point, and nothing",
        ),
        ('p1,Mouse,,Things,"1,299.00",EUR,5', "and nothing else: 1299.00"),
        ("p1,Mouse,,Things,€ 9.50,EUR,5", "and nothing else: 9.50"),
        ("p1,Mouse,,Things,19.999,EUR,5", "price '19.999': EUR has at most 2 decimals: round the amount"),
        ("p1,Mouse,,Things,1980.50,JPY,5", "price '1980.50': JPY has no decimals: round the amount"),
        ("p1,Mouse,,Things,1234567890,EUR,5", "an amount has at most nine digits before its decimals"),
        ("p1,Mouse,,Things,19.99,EUT,5", "currency 'EUT': not a currency code of ISO 4217: write a code such as EUR"),
        ("p1,Mouse,,Things,19.99,eur,5", "currency 'eur': write the code in capitals: EUR"),
        ("p1,Mouse,,Things,19.99,EUR,10.0", "stock '10.0': stock is counted in whole units: write 10"),
        ("p1,Mouse,,Things,19.99,EUR,many", "stock 'many': stock is a number of units such as 20, or a change such as"),
        ("p1,Mouse,,Things,19.99,EUR,99999999999", "stock '99999999999': stock is a number of units"),
        (
            "p1,Mo\x07use,,Things,19.99,EUR,5",
            "the text contains U+0007, a control or invisible character: leave it out",
        ),
        ("p1,Mo\u202euse,,Things,19.99,EUR,5", "the text contains U+202E"),
        ("p0,Mouse,,Things,19.99,EUR,5", "id 'p0': line 2 has this id: keep one"),
    ],
)
def test_a_bad_row_is_reported_with_line_column_value_and_way_forward(row: str, reason: str) -> None:
    [fault] = faults(HEADER + "p0,First,,Things,1,EUR,1\n" + row + "\n")
    assert fault.startswith("line 3")
    assert reason in fault


@pytest.mark.parametrize(
    ("cell", "options", "reason"),
    [
        ("1.299", {}, "a point before three digits may separate thousands: write 1299 or 1.299"),
        ("1.299,00", {}, "write digits, and decimals after a point, and nothing else: 1299.00"),
        ("9.50", {"decimal": "comma"}, "write digits, and decimals after a comma, and nothing else: 9,50"),
        ("1.299,00", {"decimal": "comma"}, "and nothing else: 1299,00"),
        ("9,50", {"decimal": "point"}, "decimals follow a point: write 9.50"),
    ],
)
def test_amounts_of_a_file_with_semicolons_are_never_guessed(cell: str, options: Any, reason: str) -> None:
    [fault] = faults(f"id;name;price;currency\np1;Mouse;{cell};KWD\n", **options)
    assert reason in fault


def test_amounts_of_a_file_with_semicolons_have_commas_or_points() -> None:
    products = read("id;name;price;currency\np1;Mouse;9,50;EUR\np2;Mouse;9.50;EUR\np3;Mouse;1,250;KWD\n")
    assert [product.price_minor for product in products] == [950, 950, 1250]


def test_all_faults_of_a_row_are_reported() -> None:
    assert [fault.partition(":")[0] for fault in faults(HEADER + "a/b,,,Things,x,EUR,y\n")] == [
        "line 2, id 'a/b'",
        "line 2, name ''",
        "line 2, price 'x'",
        "line 2, stock 'y'",
    ]


def test_record_of_several_lines_is_named_by_its_first() -> None:
    row = 'p1,Mouse,"one\ntwo\nthree",Things,x,EUR,5\n'
    assert faults(HEADER + GOOD.replace("p1", "p0") + row + "p2,,,Things,5,EUR,5\n") == [
        "line 3, price 'x': an amount is a number of digits: write one such as 19.99",
        "line 6, name '': a name is missing: fill it in",
    ]


def test_unclosed_quote_is_reported_where_it_opens() -> None:
    rows = "".join(f"p{number},Mouse,,Things,5,EUR,5\n" for number in range(200))
    assert faults(HEADER + GOOD.replace("p1", "x") + 'q,Desk,"40 wide,Things,5,EUR,5\n' + rows) == [
        "line 3, description '40 wide,Things,5,EUR,5': "
        "the quote that opens here is never closed: close it, or leave it out"
    ]


def test_text_behind_a_quote_is_reported_with_its_column() -> None:
    assert faults(HEADER + 'p1,"Mouse"x,,Things,1,EUR,1\n') == [
        "line 2, name 'Mouse\"x,,Things,1,EUR,1': "
        'text follows the closing quote: write a quote inside a text twice ("")'
    ]


def test_a_byte_of_another_encoding_is_reported_where_it_is() -> None:
    rows = "".join(f"p{number},Mouse,{'x' * 100},Things,5,EUR,5\n" for number in range(1600))
    content = (HEADER + rows).encode() + "q,für,,Things,5,EUR,5\n".encode("windows-1252")
    place = content.index(b"\xfc")
    assert place > 192_729
    [fault] = faults(content)
    assert fault == (
        f"line 1602: byte {place} of the file is not UTF-8: save the file as UTF-8, or name its encoding "
        "(--encoding windows-1252 would read 'q,für,,Things,5')"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            "",
            "the first line must name the columns id, name, price, currency; id is missing, the line has nothing",
        ),
        ("name,id\n", "price is missing, the line has name, id"),
        ("p1,Mouse,,Things,5,EUR,1\n", "the first line must name the columns id, name, price, currency; id is missing"),
        ("id,name,Name,price,currency\n", "the column name stands in the header twice: rename or remove one"),
        (HEADER, "the file holds no products below its header"),
        (HEADER + ",,,\n", "the file holds no products below its header"),
        (
            (HEADER + GOOD).encode("utf-16-le"),
            "looks like UTF-16 without a mark: name it (--encoding utf-16-le)",
        ),
        ("Handle,Title,Variant Price\nmug,Mug,5\n", "the export of another shop: import it with --from shopify"),
        ("ID,Type,SKU,Name,Regular price\n1,simple,mug,Mug,5\n", "another shop: import it with --from woocommerce"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused_with_a_reason(content: str | bytes, reason: str) -> None:
    [fault] = faults(content)
    assert reason in fault


def test_how_the_file_was_read_and_what_was_skipped_is_said() -> None:
    file = import_file.read(b"id;name;price;currency;shelf\np1;Mouse;9,50;EUR;B7\n")
    assert file.notes == [
        "Read as UTF-8, separated by semicolons, decimal commas or points.",
        "Skipped the columns that a product does not have: shelf.",
    ]


def test_only_the_first_faults_are_listed_and_the_others_counted() -> None:
    lines = faults(HEADER + "bad\n" * 25)
    assert len(lines) == 21
    assert lines[-1] == "... and 5 more"


SHOPIFY = """\
Handle,Title,Body (HTML),Vendor,Type,Published,Option1 Name,Option1 Value,Variant SKU,\
Variant Inventory Qty,Variant Price,Image Src,Status
mug,Mug,<p>Made of &amp; for <b>clay</b></p>,We,Kitchen,true,Title,Default Title,MUG-1,5,12.50,https://a.example/m,active
shirt,Shirt,,We,,true,Size,M,,3,20.00,https://a.example/s.png,draft
shirt,,,,,,,L,SH-L,-2,21.00,,
shirt,,,,,,,,,,,https://a.example/t.png,
"""


def test_export_of_shopify_is_read() -> None:
    mug, medium, large = read(SHOPIFY, source="shopify", currency="EUR")
    assert mug[:7] == ("MUG-1", "Mug", "Made of & for clay", "Kitchen", 1250, "EUR", 5)
    assert (mug.active, mug.images, mug.group, mug.options) == (True, ["https://a.example/m"], "", {})
    assert medium[:7] == ("shirt-M", "Shirt, M", "", "Other", 2000, "EUR", 3)
    assert (medium.active, medium.group, medium.options) == (False, "shirt", {"Size": "M"})
    assert (large.id, large.name, large.stock, large.options) == ("SH-L", "Shirt, L", 0, {"Size": "L"})
    assert large.images == ["https://a.example/s.png", "https://a.example/t.png"]


WOOCOMMERCE = """\
ID,Type,SKU,Name,Published,Short description,Description,Tax class,Stock,Regular price,Categories,Images,\
Parent,Attribute 1 name,Attribute 1 value(s)
1,simple,MUG,Mug,1,,<p>Clay</p>,reduced-rate,5,12.50,"Home > Kitchen, Gifts",https://a.example/m.png,,,
2,variable,SHIRT,Shirt,1,Soft,,,,,Wear,https://a.example/s.png,,Size,"M, L"
3,variation,SHIRT-M,Shirt - M,1,,,,,20,,,SHIRT,Size,M
4,variation,,Shirt - L,0,,,,2,21,,,id:2,Size,L
"""


def test_export_of_woocommerce_is_read() -> None:
    mug, medium, large = read(WOOCOMMERCE, source="woocommerce", currency="EUR")
    assert mug[:7] == ("MUG", "Mug", "Clay", "Kitchen", 1250, "EUR", 5)
    assert (mug.tax_class, mug.group) == ("reduced-rate", "")
    assert medium[:7] == ("SHIRT-M", "Shirt - M", "Soft", "Wear", 2000, "EUR", None)
    assert (medium.active, medium.group, medium.options) == (True, "SHIRT", {"Size": "M"})
    assert (large.id, large.active, large.stock, large.group) == ("woo-4", False, 2, "SHIRT")
    assert large.images == ["https://a.example/s.png"]


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (SHOPIFY, {"source": "shopify"}, "this export does not say its currency: name it (--currency EUR)"),
        (
            HEADER + GOOD,
            {"source": "shopify", "currency": "EUR"},
            "not the export of shopify, which has the column handle",
        ),
        (
            SHOPIFY.replace("21.00", "x"),
            {"source": "shopify", "currency": "EUR"},
            "line 4, Variant Price 'x': an amount is a number of digits",
        ),
    ],
)
def test_fault_of_another_shops_export_names_its_column(content: str, options: Any, reason: str) -> None:
    [fault] = faults(content, **options)
    assert reason in fault


def test_first_line_that_is_one_long_cell_is_refused() -> None:
    assert faults("id," * 60_000 + "\n")[0].startswith("line 1")


def test_article_of_another_shop_carries_few_of_its_pictures() -> None:
    rows = "".join(f"h,t,1,https://a.example/{number}\n" for number in range(200))
    file = import_file.read(
        f"handle,title,variant price,image src\n{rows}".encode(), Options(source="shopify", currency="EUR")
    )
    assert len(file.faults[0].value.split()) == 21
    assert file.faults[0].error == "a product has at most 20 images: leave some out"


def test_column_of_an_open_quote_is_found_behind_empty_cells() -> None:
    [fault] = faults(HEADER + ",,,,,," + '"open\nand more\n')
    assert fault == "line 2, stock 'open': the quote that opens here is never closed: close it, or leave it out"


def test_a_file_of_too_many_rows_is_refused_with_the_way_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "MOST_RECORDS", 2)
    rows = [f"p{number},Mouse,Things,10,EUR,\n" for number in range(3)]
    header = "id,name,category,price,currency,stock\n"
    assert len(read(header + "".join(rows[:2]))) == 2
    assert faults(header + "".join(rows)) == ["line 4: more than 2 rows: divide the file"]
