"""A table as a picture: a bar for each ratio, a mark for each target."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bench.figures import Table, brief

LINE, LABELS, BARS, VALUES = 24, 330, 360, 150
MET, MISSED = "#2a7f62", "#b3452c"


def svg(table: Table) -> str:
    height = LINE * (len(table.rows) + 1) + 8
    width = LABELS + BARS + VALUES
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{escape(table.title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="8" y="17" font-weight="bold">{escape(table.title)}</text>',
            *_bars(table),
            "</svg>\n",
        ]
    )


def _bars(table: Table) -> Iterator[str]:
    longest = max(max(row.ratio.high, row.target) for row in table.rows)
    for number, row in enumerate(table.rows, start=1):
        y, scale = LINE * number + 4, BARS / longest
        target, low, high = (LABELS + value * scale for value in (row.target, row.ratio.low, row.ratio.high))
        bar = max(1.0, row.ratio.median * scale)
        yield f'<text x="8" y="{y + 14}">{escape(row.work)}</text>'
        yield f'<rect x="{LABELS}" y="{y}" width="{bar:.1f}" height="16" fill="{MET if row.met else MISSED}"/>'
        yield f'<path d="M{low:.1f} {y + 8}H{high:.1f}" stroke="#222222"/>'
        yield f'<path d="M{target:.1f} {y - 2}V{y + 18}" stroke="#222222" stroke-width="2" stroke-dasharray="3 2"/>'
        value = f"{brief(row.ratio.median)} ({row.aim}: {row.verdict})"
        yield f'<text x="{LABELS + BARS + 8}" y="{y + 14}">{escape(value)}</text>'
