"""Drives one case, and says what it cost the proxy and how long clients waited; checks beforehand that it does its work."""

import contextlib
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import generators
from gateway import children_of, cpu_seconds
from generators import StarvedError

# A run counts as disturbed when processes that have nothing to do with it took more of the machine's CPU time than this.
QUIET = 0.03
ATTEMPTS = 4


def check(case):
    """Raises unless the case forwards, tells the upstream who asks, and refuses who shows nothing."""
    forged = {"X-User-Id": "forged"}
    shown = {"Authorization": f"Bearer {case.token}"} if case.token else {}
    status, seen = ask(case.url("seen"), forged | shown)
    if status != 200 or seen == b"forged" and case.product == "Vestibule":
        raise AssertionError(f"{case.name} answered {status} and let the upstream see {seen!r}")
    if not case.is_protected:
        return
    if seen in (b"", b"forged"):
        raise AssertionError(f"{case.name} tells the upstream that {seen!r} asks")
    for bad in ({}, {"Authorization": f"Bearer {case.token[:-6]}AAAAAA"}):
        status, _ = ask(case.url("seen"), bad)
        if status != 401:
            raise AssertionError(f"{case.name} answered {status} to {'a broken' if bad else 'no'} token")


def ask(url, headers):
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, context=generators.unverified(), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def cost(case, load, seconds, folder):
    """Returns the figures of one run: CPU and waiting times in microseconds, requests a second, and the share of the machine's
    CPU time that processes took which are not part of the measurement."""
    before, others_before = cpu_seconds(case.family), cpu_of_others()
    started = time.monotonic()
    requests, duration, p50, p99 = load.drive(case, load, seconds, folder)
    elapsed = time.monotonic() - started
    spent, others = cpu_seconds(case.family) - before, cpu_of_others() - others_before
    share = max(others, 0) / elapsed / os.cpu_count()
    return {"cpu": spent / requests * 1e6, "rate": requests / duration, "p50": p50, "p99": p99, "others": share}


def nothing(*_):
    """Prepares a run that needs nothing."""


def collect_tokens(case, load, seconds, _folder):
    """Has the gateway issue the tokens that the case sends."""
    if case.lines:
        generators.sign_in(case, load, seconds, case.lines)


@dataclass(frozen=True)
class Load:
    """What comes in: what makes it, over how many connections, what is asked for, and which figures are taken of it."""

    name: str
    body: str = "1k"
    connections: int = 64
    drive: Callable = generators.wrk
    prepare: Callable = nothing
    figures: Callable = cost


def unless_starved(measured):
    """Returns what is measured, once the machine has time for it; gives up after half a minute or more."""
    for _ in range(15):
        with contextlib.suppress(StarvedError):
            return measured()
        settle(2)
    return measured()


class Repeats:
    """Runs again what others disturbed, as long as its patience lasts: it is one for all runs, so that the whole has an end."""

    def __init__(self, patience):
        self.patience = patience

    def quietest(self, measured):
        """Returns the first of `ATTEMPTS` runs during which nobody else took more than their share, else the quietest of them."""
        runs = [unless_starved(measured)]
        while runs[-1].get("others", 0) > QUIET and len(runs) < ATTEMPTS and self.patience > 0:
            started = time.monotonic()
            runs.append(unless_starved(measured))
            self.patience -= time.monotonic() - started
        return min(runs, key=lambda run: run.get("others", 0))


def cpu_of_others():
    """Returns the CPU seconds of whatever this process did not start: others' processes, and what the host took away."""
    # Not guest time, which is in user and nice already (proc_stat(5)). Softirq is the kernel's part in loopback TCP: the tick
    # counts it by itself here, and under the process that it interrupted there. Without it, others could take a fifth unseen.
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK") - cpu_seconds(children_of(os.getpid()))


def settle(seconds=0.2):
    """Lets connections of the last run close, so that their end is not counted in the next."""
    time.sleep(seconds)
