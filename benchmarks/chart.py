"""Draw the results as one SVG picture: a panel of bars for each case.

Every panel has its own scale that begins at zero. A bar is the median cost of one operation,
so shorter is better; the thin line on it spans the rounds.
"""

from collections.abc import Sequence
from html import escape

from benchmarks.peers import US
from benchmarks.summary import CaseSummary, Row

__all__ = ["draw"]

NAMESPACE = "http://www.w3.org/2000/svg"
COLUMNS = 2
PANEL_WIDTH = 560
PANEL_GAP = 28
MARGIN = 24
NAME_WIDTH = 132
VALUE_WIDTH = 116
ROW_HEIGHT = 21
BAR_HEIGHT = 14
TITLE_HEIGHT = 46
HEAD_HEIGHT = 74

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .head { font-size: 20px; font-weight: 600; }
  .title { font-size: 15px; font-weight: 600; }
  .note { font-size: 12px; fill: #59636e; }
  .us { font-weight: 600; }
  .bar { fill: #9aa7b4; }
  .bar.us { fill: #1a7f64; }
  .span { stroke: #1f2328; stroke-width: 1; }
  .paper { fill: #ffffff; }
"""


def draw(title: str, note: str, summaries: Sequence[CaseSummary]) -> str:
    """Return the picture as SVG text.

    Args:
        title: the heading.
        note: one line under it: what it was measured on.
        summaries: the cases, in the order of the panels.
    """
    parts = []
    top = MARGIN + HEAD_HEIGHT
    for start in range(0, len(summaries), COLUMNS):
        line = summaries[start : start + COLUMNS]
        for column, summary in enumerate(line):
            left = MARGIN + column * (PANEL_WIDTH + PANEL_GAP)
            parts.extend(_panel(summary, left, top))
        top += max(_panel_height(summary) for summary in line) + PANEL_GAP
    width = 2 * MARGIN + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * PANEL_GAP
    size = f'width="{width}" height="{top}"'
    return "\n".join(
        [
            f'<svg xmlns="{NAMESPACE}" {size} viewBox="0 0 {width} {top}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" {size}/>',
            _text("head", MARGIN, MARGIN + 20, title),
            _text("note", MARGIN, MARGIN + 42, note),
            *parts,
            "</svg>",
            "",
        ]
    )


def _panel_height(summary: CaseSummary) -> int:
    return TITLE_HEIGHT + len(summary.rows) * ROW_HEIGHT


def _panel(summary: CaseSummary, left: int, top: int) -> list[str]:
    case = summary.case
    what = "memory" if case.unit == "KiB" else "CPU time"
    unit = case.unit.replace("us", "\N{MICRO SIGN}s")
    parts = [
        _text("title", left, top + 14, case.title),
        _text(
            "note", left, top + 32, f"{what} for one {case.operation}, {unit}; shorter is better"
        ),
    ]
    highest = max((row.cost.high for row in summary.rows if row.cost), default=1.0) or 1.0
    room = PANEL_WIDTH - NAME_WIDTH - VALUE_WIDTH
    for index, row in enumerate(summary.rows):
        parts.extend(_bar(row, left, top + TITLE_HEIGHT + index * ROW_HEIGHT, room / highest))
    return parts


def _bar(row: Row, left: int, top: int, scale: float) -> list[str]:
    kind = " us" if row.peer == US else ""
    base = top + BAR_HEIGHT - 3
    parts = [_text(f"name{kind}", left, base, row.peer)]
    zero = left + NAME_WIDTH
    if row.cost is None:
        return [*parts, _text("note", zero, base, "failed")]
    low, median, high = (
        zero + value * scale for value in (row.cost.low, row.cost.median, row.cost.high)
    )
    middle = f"{top + BAR_HEIGHT / 2:.1f}"
    size = f'width="{median - zero:.1f}" height="{BAR_HEIGHT}"'
    ratio = f"  \N{MULTIPLICATION SIGN}{row.to_us.median:.2f}" if row.to_us else ""
    return [
        *parts,
        f'<rect class="bar{kind}" x="{zero}" y="{top}" {size} rx="2"/>',
        f'<line class="span" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>',
        _text(f"value{kind}", high + 8, base, f"{row.cost.median:.2f}{ratio}"),
    ]


def _text(kind: str, left: float, base: float, words: str) -> str:
    return f'<text class="{kind}" x="{left:.1f}" y="{base:.1f}">{escape(words)}</text>'
