"""Draws bars from results, as SVG that reads well on light and dark pages alike. Needs nothing but the standard library."""

from html import escape
from statistics import median

import table

WIDTH, LABEL, VALUE, ROW, BAR, TOP = 760, 250, 70, 24, 16, 56
# By product, the last that fits; the colours keep their contrast to white and to black.
COLOURS = {"": "#8b8f98", "HAProxy": "#7c8aa5", "nginx": "#5f9e6e", "Vestibule": "#d9772b"}
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.note { fill: #57606a; font-size: 12px }
.mark { stroke: #57606a; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9da7b3 }
  .mark { stroke: #9da7b3 }
}
"""

# File, group, which of its tables, title, what is shown.
CHARTS = (
    ("cpu-plain.svg", "plain", 0, "CPU per request, HAProxy plain = 1", "ratio"),
    ("cpu-tls.svg", "tls", 0, "CPU per request over TLS 1.3, HAProxy plain = 1", "ratio"),
    ("cpu-h2.svg", "tls", 1, "CPU per request over HTTP/2, HAProxy plain = 1", "ratio"),
    ("p99-rate.svg", "rate", 0, "p99 in ms at 70 % of HAProxy's maximum rate", "p99"),
    ("p99-full.svg", "plain", 0, "p99 in ms at full load, 64 connections", "p99"),
    ("memory.svg", "memory", 1, "KiB of memory for an idle TLS connection", "kib"),
    ("memory-stalled.svg", "memory", 5, "KiB of memory for a client that doesn't read", "kib"),
)


def draw_all(result, folder):
    """Writes a file for each chart whose table was measured; returns the files' names by title."""
    drawn = {}
    for file, group, place, title, figure in CHARTS:
        tables = [one for one in result["tables"] if one["group"] == group]
        if len(tables) > place:
            (folder / file).write_text(bars(title, tables[place]["name"], values(tables[place]["runs"], figure)))
            drawn[title] = file
        else:
            # One of another day's run beside these would be taken for one of them.
            (folder / file).unlink(missing_ok=True)
    return drawn


def values(runs, figure):
    """Returns what is shown of each case by name: the median of its rounds."""
    base = next(iter(runs.values()))
    of_rounds = {
        "ratio": lambda rounds: median(table.ratios_of(rounds, base)),
        "p99": lambda rounds: median(run["p99"] for run in rounds) / 1000,
        "kib": lambda rounds: median(run["kib"] for run in rounds),
    }
    return {name: of_rounds[figure](rounds) for name, rounds in runs.items()}


def bars(title, note, shown):
    """Returns the picture: a bar for each value, and a line where the first one ends, which the others are compared with."""
    longest, height = max(shown.values()), TOP + ROW * len(shown) + 12
    scale = (WIDTH - LABEL - VALUE) / longest if longest else 0
    base = LABEL + next(iter(shown.values())) * scale
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="12" y="22">{escape(title)}</text><text class="note" x="12" y="42">{escape(note)}</text>',
    ]
    for number, (name, value) in enumerate(shown.items()):
        y = TOP + number * ROW
        text = y + BAR - 3
        parts += [
            f'<text x="{LABEL - 8}" y="{text}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{value * scale:.1f}" height="{BAR}" rx="2" fill="{colour(name)}"/>',
            f'<text x="{LABEL + value * scale + 6:.1f}" y="{text}">{value:.2f}</text>',
        ]
    parts.append(f'<line class="mark" x1="{base:.1f}" x2="{base:.1f}" y1="{TOP - 6}" y2="{height - 8}"/></svg>')
    return "\n".join(parts) + "\n"


def colour(name):
    return [code for product, code in COLOURS.items() if name.startswith(product)][-1]
