"""Draw a table: a bar per ratio with its spread and a mark at its target."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bench.figures import Table, brief

LINE, LABELS, BARS, VALUES = 24, 330, 360, 150
MET, MISSED, INK = "#2a7f62", "#b3452c", "#222222"
MOST = 3.0  # times the target; longer bars are cut off


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
    """Draw each ratio relative to its target, so that all targets are aligned."""
    longest = min(MOST, max(1.0, *(row.ratio.high / row.target for row in table.rows)))
    for number, row in enumerate(table.rows, start=1):
        y = LINE * number + 4
        value, low, high, target = (
            min(part / row.target, longest) / longest * BARS for part in (*row.ratio, row.target)
        )
        yield f'<text x="8" y="{y + 14}">{escape(row.work)}</text>'
        yield f'<rect x="{LABELS}" y="{y}" width="{value:.1f}" height="16" fill="{MET if row.met else MISSED}"/>'
        yield f'<path d="M{LABELS + low:.1f} {y + 8}H{LABELS + high:.1f}" stroke="{INK}"/>'
        yield f'<path d="M{LABELS + target:.1f} {y - 2}V{y + 18}" stroke="{INK}" stroke-width="2"/>'
        words = f"{brief(row.ratio.median)} ({row.aim}: {row.verdict})"
        yield f'<text x="{LABELS + BARS + 8}" y="{y + 14}">{escape(words)}</text>'
