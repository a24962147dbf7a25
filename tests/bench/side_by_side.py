#!/usr/bin/env python3
"""Measures Vestibule beside HAProxy and nginx on this machine: CPU time of the proxy per request, waiting times, memory.

    cargo build --release && tests/bench/side_by_side.py
    tests/bench/side_by_side.py --quick
    tests/bench/side_by_side.py --cases tls,memory
    tests/bench/side_by_side.py --markdown         # measures nothing: puts results.json into both README.md, and draws it

All stand before the same upstream and are driven in turn, round after round, so that whatever else the machine does weighs
on all alike. README.md beside this file says what is compared and how to read it. Needs, on Debian:
apt-get install nginx haproxy wrk nghttp2-client openssl
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import traceback
from datetime import date
from pathlib import Path

import contenders
import measure
import plot
import table
from gateway import RELEASE_BINARY, ROOT, end_on_sigterm
from groups import GROUPS

HERE = Path(__file__).resolve().parent
# What README.md shows; some groups alone don't replace it.
RESULTS = HERE / "results.json"
PART = ROOT / "target/side_by_side.json"
PACKAGES = {"nginx": "nginx", "haproxy": "haproxy", "wrk": "wrk", "h2load": "nghttp2-client", "openssl": "openssl"}


def versions(binary):
    """Returns what was measured, and on what."""
    first_line = lambda *command: (subprocess.run(command, capture_output=True, text=True).stdout or "?").splitlines()[0]
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    nginx = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True).stderr.strip()
    return {
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} × {model}, Linux {platform.release()}",
        "vestibule": first_line(str(binary), "--version"),
        "haproxy": " ".join(first_line("/usr/sbin/haproxy", "-v").split()[:3]),
        "nginx": nginx.removeprefix("nginx version: "),
    }


def check_tools(binary):
    path = os.environ["PATH"] + ":/usr/sbin"
    missing = [package for tool, package in PACKAGES.items() if not shutil.which(tool, path=path)]
    if missing:
        sys.exit("missing tools: apt-get install " + " ".join(missing))
    if not binary.exists():
        sys.exit(f"{binary} is not there: cargo build --release, or --binary FILE")


def one_run(case, load, seconds, folder):
    load.prepare(case, load, seconds, folder)
    measure.settle()
    return load.figures(case, load, seconds, folder)


def drive(cases, load, options, folder):
    """Returns the rounds of each case by name."""
    runs = {case.name: [] for case in cases}
    is_repeatable = load.figures is measure.cost
    for number in range(options.rounds if is_repeatable else 1):
        # Every other round goes backwards, so that no one always follows the same neighbour.
        for case in cases if number % 2 == 0 else reversed(cases):

            def run(seconds=options.seconds, case=case):
                return one_run(case, load, seconds, folder)

            if number == 0 and is_repeatable:
                with contextlib.suppress(measure.StarvedError):
                    run(seconds=1)
            runs[case.name].append(options.repeats.quietest(run))
        print(f"  {load.name}: round {number + 1}", file=sys.stderr, flush=True)
    return runs


def run_group(name, options):
    """Yields the finished tables of one group."""
    with tempfile.TemporaryDirectory(prefix="side-by-side-") as folder:
        with contenders.Field(options.binary, Path(folder), options.workers or os.cpu_count()) as ground:
            for load, cases in GROUPS[name](ground):
                ground.settle(cases)
                for case in cases:
                    measure.check(case)
                runs = drive(cases, load, options, ground.folder)
                print("\n" + table.section(load.name, runs), flush=True)
                yield {"group": name, "name": load.name, "runs": runs}


def publish(path):
    """Puts what was measured into the documents, and draws it."""
    if not path.exists():
        sys.exit(f"{path} is not there: measure first, with the same command without --markdown")
    result = json.loads(path.read_text())
    measured = {one["group"] for one in result["tables"]}
    result["absent"] = [name for name in GROUPS if name not in measured]
    pictures = plot.draw_all(result, HERE)
    table.write_details(HERE / "README.md", result, pictures)
    table.write_overview(ROOT / "README.md", result, pictures)
    print(f"{HERE / 'README.md'}, {ROOT / 'README.md'} and {len(pictures)} plots show {path}")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--cases", default=",".join(GROUPS), help="groups to measure, of: %(default)s")
    parser.add_argument("--quick", action="store_true", help="plain and tls, two rounds of two seconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each run; a second of warm-up goes before the first")
    parser.add_argument("--patience", type=int, default=120, help="seconds, in all, for repeating runs that others disturbed")
    parser.add_argument("--workers", type=int, default=0, help="of HAProxy and nginx; 0 is one per core, as Vestibule has")
    parser.add_argument("--json", type=Path, help=f"where every run is written; {RESULTS.name} here for all groups, else {PART}")
    parser.add_argument("--markdown", action="store_true", help="measure nothing; put that file into README.md and the plots")
    options = parser.parse_args()
    if options.quick:
        options.cases, options.rounds, options.seconds = "plain,tls", 2, 2
    options.cases = options.cases.split(",")
    options.repeats = measure.Repeats(options.patience)
    options.json = options.json or (RESULTS if options.markdown or options.cases == list(GROUPS) else PART)
    if unknown := [name for name in options.cases if name not in GROUPS]:
        parser.error(f"--cases: found {', '.join(unknown)}, expected some of {', '.join(GROUPS)}")
    return options


def main():
    options = read_options()
    if options.markdown:
        return publish(options.json)
    end_on_sigterm()
    check_tools(options.binary)
    result = {
        "measured": versions(options.binary),
        "load_before": os.getloadavg()[0],
        "seconds": options.seconds,
        "rounds": options.rounds,
        "tables": [],
    }
    print(table.conditions(result) + f" Load before: {result['load_before']:.2f}.")
    absent = measure_groups(options.cases, options, result)
    if absent:
        print(f"once more: {', '.join(absent)}", file=sys.stderr)
        absent = measure_groups(absent, options, result)
    print(f"every run is in {options.json}")
    if absent:
        sys.exit(f"not measured: {', '.join(absent)}")


def measure_groups(names, options, result):
    """Adds the tables of each group to the result; returns the groups that failed, of which it has none."""
    failed = []
    for name in names:
        tables = []
        try:
            tables.extend(run_group(name, options))
        except (AssertionError, OSError, subprocess.SubprocessError, measure.StarvedError):
            # The other groups are worth having.
            traceback.print_exc()
            failed.append(name)
            continue
        result["tables"] = sorted(result["tables"] + tables, key=lambda one: list(GROUPS).index(one["group"]))
        # After each, so that an interrupted run has lost nothing but what it was at.
        options.json.write_text(json.dumps(result, indent=1))
    return failed


if __name__ == "__main__":
    main()
