"""A badge: an SVG of one's own, no service asked."""

from xml.sax.saxutils import escape, quoteattr

from lawbook.tools.report import summary
from lawbook.tools.report.verdict import Verdict

# Dark enough for white text at a contrast of 4.5 or more.
COLOURS = {"pass": "#2d7a34", "fail": "#b3362b", "incomplete": "#666666", "nothing judged": "#666666"}
HEIGHT, PADDING = 20, 6


def render(verdict: Verdict) -> str:
    """A badge such as "lawbook | 58/60 components": those that obey their laws, of those provided."""
    left, right = "lawbook", summary.standing(verdict)
    row = summary.total(verdict)
    title = (
        f"{left}: {verdict['implementation']['name']}, {row.passed} of {row.provided} provided components obey their "
        f"laws, {row.components - row.provided} not provided ({summary.state(verdict)})"
    )
    first, second = width(left) + 2 * PADDING, width(right) + 2 * PADDING
    size = f'width="{first + second}" height="{HEIGHT}"'
    colour = COLOURS[summary.state(verdict)]
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(title)}>
<title>{escape(title)}</title>
<clipPath id="round"><rect {size} rx="3"/></clipPath>
<g clip-path="url(#round)">
<rect width="{first}" height="{HEIGHT}" fill="#444"/>
<rect x="{first}" width="{second}" height="{HEIGHT}" fill="{colour}"/>
</g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">
<text x="{PADDING}" y="14" textLength="{width(left)}">{escape(left)}</text>
<text x="{first + PADDING}" y="14" textLength="{width(right)}">{escape(right)}</text>
</g>
</svg>
"""


def width(text: str) -> int:
    """About how wide Verdana 11 sets the text; textLength makes up for the rest."""
    narrow = sum(text.count(character) for character in "ijlft/ .,1")
    return round(7.2 * (len(text) - narrow) + 4.6 * narrow)
