#!/usr/bin/env python3
"""Whether a stranger can tell from the time of a refused sign-in if an account exists: an unknown user, a wrong password of a
known one and a disabled one, in random order, at a hash cheap enough to leave other differences in sight.

Prints for each pair the medians and the probability that one of the first kind takes longer than one of the second
(Mann and Whitney's U over n*m: 0.5 is no separation), with how many standard deviations of chance that is away. Ends with 1 above 4.

    login_timing.py [SAMPLES OF EACH, default 10000] [--binary PATH]
"""

import argparse
import http.client
import json
import math
import pathlib
import random
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "conformance"))
import harness

LIMITS = 'login = "1000000/s"\nlogin_account = "1000000/s"\nlogin_network = "1000000/s"'
PASSWORDS = '[password]\nmemory = "64KiB"\niterations = 1\n'
KINDS = {"unknown": "unknown@example.com", "wrong": "known@example.com", "disabled": "stopped@example.com"}
WARM_UP = 300
ALARM = 4.0


def account(gateway, *words, **more):
    command = [harness.BINARY, "user", *words, "-c", gateway.folder / "vestibule.toml"]
    subprocess.run(command, check=True, capture_output=True, text=True, **more)


def refused(connection, email):
    """Returns how long one refusal took, in microseconds."""
    body = json.dumps({"email": email, "password": f"wrong {random.random()}"})
    started = time.perf_counter_ns()
    connection.request("POST", "/auth/login", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    took = (time.perf_counter_ns() - started) / 1000
    assert answer.status == 401, (email, answer.status)
    return took


def separation(first, second):
    """Returns the probability that a value of `first` exceeds one of `second`, and its distance from 0.5 in standard deviations."""
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    total, at = 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        total += (at + 1 + end) / 2 * sum(1 for _, kind in ranked[at:end] if kind == 0)
        at = end
    n, m = len(first), len(second)
    probability = (total - n * (n + 1) / 2) / (n * m)
    return probability, (probability - 0.5) / math.sqrt((n + m + 1) / (12 * n * m))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("samples", nargs="?", type=int, default=10000)
    options.add_argument("--binary", type=pathlib.Path, default=harness.ROOT / "target/release/vestibule")
    options = options.parse_args()
    harness.BINARY = options.binary.resolve()
    upstream = harness.Upstream()
    with harness.Gateway(upstream.url, limits=LIMITS, more=PASSWORDS) as gateway:
        for email in ("known@example.com", "stopped@example.com"):
            account(gateway, "add", email, "--password-stdin", input="a right password\n")
        account(gateway, "disable", "stopped@example.com")
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
        for _ in range(WARM_UP):
            refused(connection, random.choice(list(KINDS.values())))
        asked = [kind for kind in KINDS for _ in range(options.samples)]
        random.shuffle(asked)
        times = {kind: [] for kind in KINDS}
        for kind in asked:
            times[kind].append(refused(connection, KINDS[kind]))
    worst = 0.0
    for kind, values in times.items():
        print(f"{kind:9} n {len(values)}  median {statistics.median(values):7.1f} us  mean {statistics.fmean(values):7.1f} us")
    for first, second in (("unknown", "wrong"), ("unknown", "disabled"), ("wrong", "disabled")):
        probability, deviations = separation(times[first], times[second])
        worst = max(worst, abs(deviations))
        print(f"P({first} > {second}) = {probability:.4f}, {deviations:+.2f} standard deviations")
    return 1 if worst > ALARM else 0


if __name__ == "__main__":
    sys.exit(main())
