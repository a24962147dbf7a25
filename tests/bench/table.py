"""Makes tables of medians out of the runs, and puts them into README.md."""

from statistics import median

from measure import QUIET

BEGIN, END = "<!-- measured: side_by_side.py --markdown -->", "<!-- /measured -->"


def lines(runs):
    """Returns the table of one load: `runs` holds the rounds of each case by name, the one to compare with first."""
    base = next(iter(runs.values()))
    key, columns = ("kib", MEMORY) if "kib" in base[0] else ("cpu", COST)
    headings = ["case", *columns]
    yield f"| {' | '.join(headings)} |"
    yield "|---" + "|--:" * len(columns) + "|"
    for name, rounds in runs.items():
        # Each round against the same round of the base: what else the machine did then weighed on both.
        ratios = ratios_of(rounds, base, key)
        yield f"| {' | '.join([name, *(column(rounds, ratios) for column in columns.values())])} |"


def ratios_of(rounds, base, key="cpu"):
    return [run[key] / other[key] for run, other in zip(rounds, base)]


def times(key):
    """Returns a column of milliseconds; empty where the load generator doesn't say."""

    def column(rounds, _):
        values = [run[key] for run in rounds]
        return "–" if None in values else f"{median(values) / 1000:.2f}"

    return column


def span(values, form):
    return f"{min(values):{form}}–{max(values):{form}}"


def middle(key, form):
    return lambda rounds, _: f"{median(run[key] for run in rounds):{form}}"


COST = {
    "CPU µs/request": middle("cpu", ".1f"),
    "spread": lambda rounds, _: span([run["cpu"] for run in rounds], ".1f"),
    "÷ HAProxy plain": lambda _, ratios: f"{median(ratios):.2f}",
    "spread of that": lambda _, ratios: span(ratios, ".2f"),
    "requests/s": middle("rate", ",.0f"),
    "p50 ms": times("p50"),
    "p99 ms": times("p99"),
}
MEMORY = {
    "KiB/connection": middle("kib", ".1f"),
    "÷ HAProxy plain": lambda _, ratios: f"{median(ratios):.2f}",
}


def disturbance(runs):
    """Returns a sentence on how much others took of the machine while this was measured; nothing of what it can't disturb."""
    shares = [run["others"] for rounds in runs.values() for run in rounds if "others" in run]
    if not shares:
        return ""
    return f"Other processes took {median(shares):.1%} of the machine's CPU time during a run, at most {max(shares):.1%}."


def section(name, runs):
    """Returns heading, table and disturbance of one load."""
    return "\n".join([f"### {name}", "", *lines(runs), "", disturbance(runs)]).rstrip() + "\n"


def conditions(result):
    """Returns what was measured, on what, and how quiet that was."""
    measured = result["measured"]
    said = [
        f"{measured['date']}: {measured['machine']}; {measured['vestibule']}, {measured['haproxy']}, {measured['nginx']};"
        f" {result['rounds']} rounds of {result['seconds']} s."
    ]
    if result.get("absent"):
        said.append(f"Not measured: {', '.join(result['absent'])}.")
    shares = [run["others"] for table in result["tables"] for rounds in table["runs"].values() for run in rounds if "others" in run]
    if not shares:
        said.append("How much of the machine others took is not known.")
    elif median(shares) > QUIET:
        said.append(
            f"The machine was not quiet: in half of the runs others took more than {median(shares):.0%} of its CPU time. Ratios hold"
            " as far as the spreads say; waiting times and requests a second would be better on a quiet one."
        )
    return " ".join(said)


def overview(result):
    """Returns the first table, with less of it, for a page that says more than figures."""
    runs = result["tables"][0]["runs"]
    base = next(iter(runs.values()))
    yield "| | CPU µs/request | ÷ HAProxy plain | p99 ms |"
    yield "|---|--:|--:|--:|"
    for name, rounds in runs.items():
        ratios = ratios_of(rounds, base)
        cells = [COST[column](rounds, ratios) for column in ("CPU µs/request", "÷ HAProxy plain", "p99 ms")]
        yield f"| {' | '.join([name, *cells])} |"


def write_details(readme, result, pictures):
    """Puts all tables of the result between the marks in the file, and the pictures above them."""
    tables = "\n".join(section(table["name"], table["runs"]) for table in result["tables"])
    write_between_marks(readme, [conditions(result), shown(pictures, ""), tables])


def write_overview(readme, result, pictures):
    """Puts the overview between the marks in the file, and the pictures below it."""
    folder = "tests/bench/"
    parts = [conditions(result), "\n".join(overview(result))] if result["tables"][0]["group"] == "plain" else [conditions(result)]
    write_between_marks(readme, [*parts, shown(pictures, folder)])


def shown(pictures, folder):
    return "\n".join(f"![{title}]({folder}{file})" for title, file in pictures.items())


def write_between_marks(readme, parts):
    before, begins, rest = readme.read_text().partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not begins or not ends:
        raise ValueError(f"{readme}: expected the marks {BEGIN} and {END}")
    content = "\n\n".join(part.rstrip() for part in parts)
    readme.write_text(f"{before}{BEGIN}\n\n{content}\n\n{END}{after}")
