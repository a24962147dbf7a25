#!/usr/bin/env python3
"""What password hashing leaves of the machine: sign-ins a second beside bare argon2id on the same cores, and how long proxied
requests wait while a flood of sign-ins goes on beside them.

    cargo build --release && cargo bench --bench hot_path --no-run && tests/bench/logins.py [--rounds 5] [--json FILE]

Exits 1 when a goal is missed: sign-ins at least 0.95 of what argon2id alone does, and a p99 of at most 1.5 times that without the flood.
Each round measures everything once; compared are the medians of the rounds' ratios. Needs nginx, wrk and h2load, and a quiet machine.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import contenders
import instructions
import measure
from gateway import PASSWORD, RELEASE_BINARY, cpu_seconds, end_on_sigterm
from generators import StarvedError, at_rate, start_wrk
from measure import Load

SIGN_IN = """
wrk.method, wrk.path, wrk.headers["Content-Type"] = "POST", "/auth/login", "application/json"
wrk.body = '{"email":"@email@","password":"@password@"}'
response = function(status) if status ~= 200 then io.stderr:write("signing in: ", status); os.exit(1) end end
done = function(summary) io.write(string.format("RESULT %d %d\\n", summary.requests, summary.duration)) end
"""
# More than hash at once, and fewer than the queue holds.
SIGNING_IN = 32
LEAST_LOGINS, MOST_P99 = 0.95, 1.5


def bare(bench, seconds):
    """Returns hashes a second, and CPU seconds for each, of as many processes as there are cores."""
    count = max(1, round(seconds / 0.02))
    before, started = cpu_seconds([os.getpid()]), time.monotonic()
    running = [subprocess.Popen([bench, "password-check", str(count)], stdout=subprocess.DEVNULL) for _ in range(os.cpu_count())]
    for process in running:
        if process.wait():
            sys.exit(f"{bench} password-check failed")
    # Each has made one to check against, and checked it twice before it began.
    done = (count + 3) * len(running)
    return done / (time.monotonic() - started), (cpu_seconds([os.getpid()]) - before) / done


def sign_in(case, seconds, folder):
    """Returns sign-ins a second, and the gateway's CPU seconds for each."""
    before = cpu_seconds(case.family)
    output = start_wrk(replace(case, token=""), Load("", connections=SIGNING_IN), f"{seconds}s", script_in(folder))
    done, micros = map(int, output.partition("RESULT ")[2].split())
    if not done:
        raise StarvedError(f"nobody was signed in within {seconds} s")
    return done / (micros / 1e6), (cpu_seconds(case.family) - before) / done


def script_in(folder):
    script = folder / "sign-in.lua"
    script.write_text(SIGN_IN.replace("@email@", contenders.EMAIL).replace("@password@", PASSWORD))
    return script


@contextlib.contextmanager
def flood(case, seconds, folder):
    """Signs in beside what is done meanwhile, for at most so long."""
    command = ["wrk", "-t1", f"-c{SIGNING_IN}", f"-d{seconds}s", "-s", script_in(folder), case.url("")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    # Until every hasher is busy.
    time.sleep(0.5)
    try:
        yield
        if process.poll() is not None:
            raise AssertionError("the flood of sign-ins ended before what it was to disturb")
    finally:
        # wrk counts what it did when it is interrupted.
        process.send_signal(signal.SIGINT)
        output = process.communicate()[0]
    if not re.search(r"RESULT [1-9]", output):
        raise AssertionError(f"nobody signed in:\n{output}")


def one_round(case, options, folder):
    load = Load("", drive=at_rate(options.rate))
    alone, alone_cpu = bare(options.bench, options.seconds)
    logins, login_cpu = sign_in(case, options.seconds, folder)
    calm = measure.cost(case, load, options.seconds, folder)
    with flood(case, options.seconds + 30, folder):
        flooded = measure.cost(case, load, options.seconds, folder)
    return {
        "bare_rate": alone,
        "login_rate": logins,
        "bare_cpu_ms": alone_cpu * 1e3,
        "login_cpu_ms": login_cpu * 1e3,
        "p50": calm["p50"],
        "p50_flooded": flooded["p50"],
        "p99": calm["p99"],
        "p99_flooded": flooded["p99"],
    }


def run(options):
    with tempfile.TemporaryDirectory(prefix="logins-") as folder:
        with contenders.Field(options.binary, Path(folder), os.cpu_count()) as ground:
            gateway, token = ground.vestibule("HS256", has_costly_passwords=True)
            case = contenders.protected(gateway, token, "Vestibule HS256")
            ground.settle([case])
            rounds = []
            for number in range(options.rounds):
                rounds.append(measure.unless_starved(lambda: one_round(case, options, ground.folder)))
                print(f"round {number + 1}: " + ", ".join(f"{name} {value:,.1f}" for name, value in rounds[-1].items()), flush=True)
            return rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--bench", type=Path, help="the built bench; without, the newest in target")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each of a round's four runs")
    parser.add_argument("--rate", type=int, default=2000, help="proxied requests a second")
    parser.add_argument("--json", type=Path, help="where every round is written")
    options = parser.parse_args()
    options.bench = options.bench or instructions.newest_bench()
    end_on_sigterm()
    rounds = run(options)
    if options.json:
        options.json.write_text(json.dumps({"rate": options.rate, "rounds": rounds}, indent=1))
    of = lambda name, base: median(one[name] / one[base] for one in rounds)
    logins, tail = of("login_rate", "bare_rate"), of("p99_flooded", "p99")
    print(f"sign-ins: {logins:.2f} of bare argon2id; a sign-in takes {of('login_cpu_ms', 'bare_cpu_ms'):.2f} of the CPU time of a hash")
    print(f"proxied requests during a flood of sign-ins: p50 {of('p50_flooded', 'p50'):.2f} and p99 {tail:.2f} of that without")
    missed = [what for what, is_so in (("sign-ins", logins < LEAST_LOGINS), ("p99", tail > MOST_P99)) if is_so]
    if missed:
        sys.exit(f"goal missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
