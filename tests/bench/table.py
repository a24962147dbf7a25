"""Makes a table of medians out of the runs."""

from statistics import median

HEADING = "| case | CPU µs/request | spread | ÷ HAProxy plain | spread | requests/s | p50 ms | p99 ms |"
RULE = "|---|--:|--:|--:|--:|--:|--:|--:|"


def lines(runs):
    """Returns the table of one load: `runs` holds the rounds of each case by name, the one to compare with first."""
    base = next(iter(runs.values()))
    yield HEADING
    yield RULE
    for name, rounds in runs.items():
        cpu = [run.cpu for run in rounds]
        # Each round against the same round of the base: what else the machine did then weighed on both.
        ratios = [run.cpu / other.cpu for run, other in zip(rounds, base)]
        rate = median(run.rate for run in rounds)
        cells = [
            name,
            f"{median(cpu):.1f}",
            f"{min(cpu):.1f}–{max(cpu):.1f}",
            f"{median(ratios):.2f}",
            f"{min(ratios):.2f}–{max(ratios):.2f}",
            f"{rate:,.0f}",
            millis([run.p50 for run in rounds]),
            millis([run.p99 for run in rounds]),
        ]
        yield f"| {' | '.join(cells)} |"


def disturbance(runs):
    """Returns a sentence on how much others took of the machine while this was measured."""
    shares = [run.others for rounds in runs.values() for run in rounds]
    return f"Other processes took {median(shares):.1%} of the machine's CPU time during a run, at most {max(shares):.1%}."


def millis(times):
    if None in times:
        return "–"
    return f"{median(times) / 1000:.2f}"
