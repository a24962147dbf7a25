#!/usr/bin/env python3
"""Measures Vestibule beside HAProxy and nginx on this machine: CPU time of the proxy per request, and waiting times.

    cargo build --release && tests/bench/side_by_side.py

All stand before the same upstream and are driven in turn, round after round, so that whatever else the machine does weighs
on all alike. README.md beside this file says what is compared and how to read it. Needs, on Debian:
apt-get install nginx haproxy wrk nghttp2-client openssl
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import contenders
import measure
import table
from gateway import RELEASE_BINARY, end_on_sigterm

PACKAGES = {"nginx": "nginx", "haproxy": "haproxy", "wrk": "wrk", "h2load": "nghttp2-client", "openssl": "openssl"}
# A run counts as disturbed when processes that have nothing to do with it took more of the machine's CPU time than this.
QUIET = 0.03
# What is driven with big bodies too: there it is bytes that cost, whatever the algorithm.
SELECTED = ("HAProxy plain", "nginx plain", "Vestibule public", "Vestibule HS256", "HAProxy jwt_verify HS256")


def loads(options):
    """Yields each load and the names of the cases it is for; all where there are none."""
    for connections in options.connections:
        yield measure.Load(f"1 KiB, {connections} connections, cleartext", "1k", connections), ()
    if options.only_small:
        return
    yield measure.Load("100 KiB, 64 connections, cleartext", "100k", 64), SELECTED
    yield measure.Load("1 KiB, 64 connections, TLS 1.3", "1k", 64), "TLS"
    yield measure.Load("1 KiB, 8 connections of 8 streams, HTTP/2 over TLS 1.3", "1k", 64, is_h2=True), "TLS"


def chosen(cases, names):
    if names == "TLS":
        # nginx 1.22 speaks HTTP/2 only where it is told to; it stays with HTTP/1.1 here.
        return [case for case in cases if case.is_tls]
    return [case for case in cases if not case.is_tls and (not names or case.name in names)]


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
        sys.exit(f"{binary} is not there: cargo build --release")


def warm_run(case, load, options, folder):
    measure.run(case, load, 1, folder)
    measure.settle(0.1)
    measured = measure.run(case, load, options.seconds, folder)
    measure.settle(0.1)
    return measured


def drive(cases, load, options, folder):
    """Returns the rounds of each case by name."""
    runs = {case.name: [] for case in cases}
    for number in range(options.rounds):
        # Every other round goes backwards, so that no one always follows the same neighbour.
        for case in cases if number % 2 == 0 else reversed(cases):
            runs[case.name].append(measure.quietest(options.attempts, QUIET, lambda: warm_run(case, load, options, folder)))
        print(f"  {load.name}: round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    return runs


def compare(options, folder):
    """Returns the whole result: what was measured, the load of the machine around it, and all runs."""
    workers = options.workers or os.cpu_count()
    result = {"measured": versions(options.binary), "load_before": os.getloadavg()[0], "seconds": options.seconds}
    results = []
    with contenders.Field(options.binary, Path(folder), workers) as ground:
        cases = contenders.cleartext_cases(ground)
        cases += [] if options.only_small else contenders.tls_cases(ground)
        for case in cases:
            measure.settle(0.05)
            measure.check(case)
        ground.families(cases)
        for load, names in loads(options):
            of_load = chosen(cases, names)
            if load.is_h2:
                of_load = [case for case in of_load if case.product != "nginx"]
            results.append((load, drive(of_load, load, options, folder)))
            print("\n".join(["", load.name, "", *table.lines(results[-1][1]), "", table.disturbance(results[-1][1])]), flush=True)
    plain = {load.name: {name: [run.as_dict() for run in rounds] for name, rounds in runs.items()} for load, runs in results}
    return result | {"runs": plain}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each run; a second of warm-up goes before")
    parser.add_argument("--connections", type=int, nargs="+", default=[64], help="keep-alive connections for small answers")
    parser.add_argument("--attempts", type=int, default=4, help="at a run, until nothing else disturbs it")
    parser.add_argument("--workers", type=int, default=0, help="of HAProxy and nginx; 0 is one per core, as Vestibule has")
    parser.add_argument("--only-small", action="store_true", help="only 1 KiB answers in cleartext")
    parser.add_argument("--json", type=Path, default=Path("side_by_side.json"))
    options = parser.parse_args()
    end_on_sigterm()
    check_tools(options.binary)
    with tempfile.TemporaryDirectory(prefix="side-by-side-") as folder:
        result = compare(options, folder)
    options.json.write_text(json.dumps(result, indent=1))
    print("\n" + "; ".join(result["measured"].values()) + f"; load before: {result['load_before']:.2f}")
    print(f"{options.rounds} rounds of {options.seconds} s; every run is in {options.json}")


if __name__ == "__main__":
    main()
