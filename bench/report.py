"""Write the results to the terminal and to docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.figures import Comparison, Spread, Table, brief, summary
from bench.plot import svg

HOW = """
Reproduce with `make bench` (or `make bench-report`, which writes this page): Linux, Python 3.11 or newer, `wrk`
(`apt-get install wrk`), ten minutes at most, nothing else running. One run starts everything that it compares, on
loopback: the shop as `make up` runs it, with PostgreSQL's `fsync` on, and the servers that it is compared with. Rounds
are interleaved. Each figure is the median with the lowest and the highest round; ratios are taken round by round. `≥`
and `≤` are the targets; a missed target stays in the table. [bench/LOG.md](../bench/LOG.md) records the experiments.
"""


def cells(row: Comparison) -> list[str]:
    """Return a row's cells: work, ours, limit, ratio with its spread, target, verdict."""
    ratio = row.ratio
    return [
        row.work,
        f"{spread(Spread.of(row.ours))} {row.unit}",
        f"{spread(Spread.of(row.limits))} {row.unit}" if row.limits else "",
        spread(ratio) if row.limits else "",
        row.aim,
        row.verdict,
    ]


def header(table: Table) -> list[str]:
    return ["", table.ours, table.limit, "ratio", "target", "verdict"]


def spread(values: Spread) -> str:
    if values.low == values.high:
        return brief(values.median)
    return f"{brief(values.median)} ({brief(values.low)}–{brief(values.high)})"


def text(table: Table) -> str:
    """Return the table for a terminal."""
    return f"\n{table.title}\n{aligned([header(table), *map(cells, table.rows)])}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return the rows as text with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(f"  {line}".rstrip() for line in padded)


def markdown(tables: Sequence[Table], facts: Mapping[str, str]) -> str:
    parts = [
        "# Benchmarks",
        HOW.strip(),
        f"**{summary(tables).partition(';')[0]}.**",
        _grid(["", ""], list(map(list, facts.items()))),
    ]
    return "\n\n".join([*parts, *(part for table in tables for part in _section(table))]) + "\n"


def _section(table: Table) -> Iterator[str]:
    yield f"## {table.title}"
    yield table.note
    # As code, because Markdown takes <id> for HTML and drops it.
    yield _grid(header(table), [[f"`{work}`", *rest] for work, *rest in map(cells, table.rows)])
    yield f"![{table.title}](benchmarks/{table.slug}.svg)"


def _grid(head: list[str], lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines])


def write(docs: Path, tables: Sequence[Table], facts: Mapping[str, str]) -> None:
    """Write docs/benchmarks.md and its pictures."""
    pictures = docs / "benchmarks"
    pictures.mkdir(exist_ok=True)
    for picture in pictures.glob("*.svg"):
        picture.unlink()
    for table in tables:
        (pictures / f"{table.slug}.svg").write_text(svg(table))
    (docs / "benchmarks.md").write_text(markdown(tables, facts))
