#!/usr/bin/env python3
"""Counts the instructions of each step of a proxied request with callgrind: the same on a busy machine as on a quiet one.

    cargo bench --bench hot_path --no-run && tests/bench/instructions.py --json before.json
    tests/bench/instructions.py --against before.json       # after a change; fails where a step grew by more than 2 %
    tests/bench/instructions.py token-hit --keep out.callgrind    # for callgrind_annotate
    tests/bench/instructions.py --binary target/release/vestibule    # whole requests too: see whole_program.py

Needs valgrind. Counted is what happens in user space, in one thread: no system call, no cache miss, no waiting.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COUNTED = "hot_path::counted*"
COUNT = 200
# Between two runs of one program; addresses and with them hashes differ.
NOISE = 0.02


def newest_bench():
    """Returns what `cargo bench --no-run` built last, or what `cargo test` did."""
    for profile in ("release", "debug"):
        found = [path for path in (ROOT / "target" / profile / "deps").glob("hot_path-*") if not path.suffix]
        if found:
            return max(found, key=lambda path: path.stat().st_mtime)
    sys.exit("there is no bench: cargo bench --bench hot_path --no-run")


def names(bench):
    """Returns every case; running them all takes a moment."""
    return subprocess.run([bench], capture_output=True, text=True, check=True).stdout.split()


def instructions(bench, name, output):
    """Returns how many instructions one turn of the case takes."""
    options = [f"--callgrind-out-file={output}", "--collect-atstart=no", f"--toggle-collect={COUNTED}"]
    subprocess.run(["valgrind", "-q", "--tool=callgrind", *options, bench, name, str(COUNT)], check=True, capture_output=True)
    total = int(re.search(r"^(?:summary|totals): (\d+)", output.read_text(), re.M)[1])
    if not total:
        sys.exit(f"{name}: nothing was counted; has {bench} been stripped of its names?")
    return total / COUNT


def print_row(name, figure, before):
    change = f" {figure / before[name] - 1:+.1%} |" if name in before else ""
    print(f"| {name} | {figure:,.0f} |{change}", flush=True)


def count_steps(options, before):
    """Returns the figures of all steps that are asked for, by name."""
    bench = options.bench or newest_bench()
    print("| step | instructions |" + (" change |" if before else ""))
    print("|---|--:|" + ("--:|" if before else ""))
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.steps or names(bench):
            figures[name] = instructions(bench, name, options.keep or Path(folder) / "callgrind.out")
            print_row(name, figures[name], before)
    return figures


def print_whole_requests(binary):
    import whole_program

    print("\n| request | instructions |\n|---|--:|")
    for name, whole in whole_program.figures(binary):
        print(f"| {name} | {whole:,.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", help="which; all without")
    parser.add_argument("--bench", type=Path, help="the built bench; without, the newest in target")
    parser.add_argument("--binary", type=Path, help="a program to count whole requests of too")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--against", type=Path, help="figures to compare with")
    parser.add_argument("--keep", type=Path, help="where callgrind writes the profile of a step")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("missing tools: apt-get install valgrind")
    before = json.loads(options.against.read_text()) if options.against else {}
    figures = count_steps(options, before)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    if options.binary:
        print_whole_requests(options.binary)
    grown = [name for name, figure in figures.items() if name in before and figure > before[name] * (1 + NOISE)]
    if grown:
        sys.exit(f"more than before: {', '.join(grown)}")


if __name__ == "__main__":
    main()
