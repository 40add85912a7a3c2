"""Decides how a picture of bars looks: panels side by side, each with a scale of its own, readable on light and on dark."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

COLUMNS, PANEL_W, GAP, MARGIN = 3, 300, 28, 16
TITLE_H, BAR_H, BAR_GAP, LABEL_W, VALUE_W, LEGEND_H = 44, 16, 6, 124, 62, 30

STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 13px; }
.unit { fill: #59636e; font-size: 11px; }
.own { fill: #0969da; } .other { fill: #818b98; } .second { opacity: 0.45; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; } .unit { fill: #9198a1; } .own { fill: #4493f8; }
}"""


@dataclass
class Bar:
    label: str
    parts: list[float]  # one on the other's end; the second is drawn paler
    text: str
    own: bool = False


@dataclass
class Panel:
    title: str
    unit: str
    bars: list[Bar]


def draw(title: str, panels: list[Panel], legend: tuple[str, str] | None = None) -> str:
    columns = min(COLUMNS, len(panels))
    rows = [panels[at:at + columns] for at in range(0, len(panels), columns)]
    width = MARGIN * 2 + columns * PANEL_W + (columns - 1) * GAP
    top, body = MARGIN + (LEGEND_H if legend else 0), []
    if legend:
        body.append(_legend(legend))
    for row in rows:
        for column, panel in enumerate(row):
            body.append(_panel(panel, MARGIN + column * (PANEL_W + GAP), top))
        top += max(_height(panel) for panel in row) + GAP
    height = top - GAP + MARGIN
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">\n<title>%s</title>\n'
            "<style>\n%s\n</style>\n%s\n</svg>\n" % (width, height, width, height, escape(title), STYLE, "\n".join(body)))


def _height(panel: Panel) -> int:
    return TITLE_H + len(panel.bars) * (BAR_H + BAR_GAP)


def _legend(words: tuple[str, str]) -> str:
    out, x = [], MARGIN
    for word, more in zip(words, ("", " second")):
        out.append('<rect class="own%s" x="%d" y="%d" width="12" height="12"/>' % (more, x, MARGIN))
        out.append(_text(x + 18, MARGIN + 10, word))
        x += 40 + 7 * len(word)
    out.append(_text(x, MARGIN + 10, "(blue: berthd; the others grey)", "unit"))
    return "\n".join(out)


def _panel(panel: Panel, x: int, y: int) -> str:
    out = [_text(x, y + 13, panel.title, "title"), _text(x, y + 30, panel.unit, "unit")]
    most = max((sum(bar.parts) for bar in panel.bars), default=0.0) or 1.0
    room = PANEL_W - LABEL_W - VALUE_W
    for number, bar in enumerate(panel.bars):
        at, left = y + TITLE_H + number * (BAR_H + BAR_GAP), float(x + LABEL_W)
        out.append(_text(x, at + 12, bar.label))
        for part, more in zip(bar.parts, ("", " second")):
            long = room * part / most
            out.append('<rect class="%s%s" x="%.1f" y="%d" width="%.1f" height="%d"/>' % (
                "own" if bar.own else "other", more, left, at, long, BAR_H))
            left += long
        out.append(_text(left + 5, at + 12, bar.text))
    return "\n".join(out)


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return '<text x="%.1f" y="%.1f"%s>%s</text>' % (x, y, ' class="%s"' % kind if kind else "", escape(words))
