from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import report
from bench.figures import Comparison, Table
from bench.plot import MET, MISSED, svg

ROWS = [
    Comparison("GET /products/<id>", "/s", [600, 1200], [1000, 2000], 0.5),
    Comparison("POST /orders", "/s", [100], [1000], 0.5),
    Comparison("memory", "MB", [123.4], [], 110, at_least=False),
]
TABLE = Table("limits", "Shop & limits", "shop", "limit", "How it was measured.", ROWS)


def test_a_row_shows_both_figures_the_ratio_the_target_and_the_verdict() -> None:
    assert report.cells(ROWS[0]) == [
        "GET /products/<id>",
        "900 (600–1,200) /s",
        "1,500 (1,000–2,000) /s",
        "0.60",
        "≥ 0.5",
        "met",
    ]
    assert report.cells(ROWS[2]) == ["memory", "123 MB", "", "", "≤ 110", "MISSED"]


def test_the_terminal_gets_aligned_columns() -> None:
    lines = report.text(TABLE).splitlines()[2:]
    assert len({line.index(verdict) for line, verdict in zip(lines, ["verdict", "met", "MISSED"], strict=False)}) == 1


def test_page_has_summary_facts_and_a_section_for_each_table() -> None:
    page = report.markdown([TABLE], {"Commit": "1234567"})
    assert "**1 of 3 targets met.**" in page
    assert "| Commit | 1234567 |" in page
    assert "## Shop & limits\n\nHow it was measured.\n\n| " in page
    assert "| `POST /orders` |" in page
    assert page.endswith("![Shop & limits](benchmarks/limits.svg)\n")


def test_writing_leaves_a_page_whose_pictures_exist(tmp_path: Path) -> None:
    report.write(tmp_path, [TABLE], {})
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert written == ["benchmarks.md", "benchmarks/limits.svg"]


def test_a_plot_is_well_formed_and_colours_each_bar_by_its_verdict() -> None:
    picture = ElementTree.fromstring(svg(TABLE))
    bars = [bar.get("fill") for bar in picture.findall("{*}rect")[1:]]
    assert bars == [MET, MISSED, MISSED]
    widths = [float(bar.get("width", 0)) for bar in picture.findall("{*}rect")[1:]]
    assert widths == [pytest.approx(width, abs=0.1) for width in (360 * 1.2 / 1.2, 360 * 0.2 / 1.2, 360 / 1.2 * 1.1218)]
