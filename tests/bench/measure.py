"""Drives one case for some seconds, and says what it cost the proxy and how long clients waited."""

import os
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway import children_of, cpu_seconds

WRK_REPORT = """
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass
class Measured:
    """One run. Times in microseconds; `p50` and `p99` are None where the load generator does not say."""

    cpu: float
    rate: float
    p50: float | None
    p99: float | None
    # The share of the machine's CPU time that processes took which are not part of the measurement.
    others: float

    def as_dict(self):
        return asdict(self)


@dataclass(frozen=True)
class Load:
    """What comes in: the generator, how many connections, and what they ask for."""

    name: str
    body: str
    connections: int
    is_h2: bool = False


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
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=context, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def run(case, load, seconds, folder):
    """Returns what one run under `load` came to. Raises when a single request went wrong."""
    before, others_before = cpu_seconds(case.family), cpu_of_others()
    started = time.monotonic()
    requests, duration, p50, p99 = (h2load if load.is_h2 else wrk)(case, load, seconds, folder)
    elapsed = time.monotonic() - started
    spent, others = cpu_seconds(case.family) - before, cpu_of_others() - others_before
    share = max(others, 0) / elapsed / os.cpu_count()
    return Measured(spent / requests * 1e6, requests / duration, p50, p99, share)


def quietest(attempts, quiet_share, measured):
    """Returns the first run during which nobody else took more than `quiet_share`, else the quietest of `attempts`."""
    runs = []
    for _ in range(attempts):
        runs.append(measured())
        if runs[-1].others <= quiet_share:
            break
    return min(runs, key=lambda run: run.others)


def cpu_of_others():
    """Returns the CPU seconds of all processes that this one did not start."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:4]
    return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK") - cpu_seconds(children_of(os.getpid()))


def wrk(case, load, seconds, folder):
    script = Path(folder) / "report.lua"
    script.write_text(WRK_REPORT)
    header = ["-H", f"Authorization: Bearer {case.token}"] if case.token else []
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{seconds}s", "-s", str(script), *header, case.url(load.body)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)$", output, re.MULTILINE)
    requests, micros, errors, p50, p99 = map(int, found.groups())
    if errors or not requests:
        raise AssertionError(f"{case.name}: {errors} of {requests} requests went wrong:\n{output}")
    return requests, micros / 1e6, p50, p99


def h2load(case, load, seconds, folder):
    """HTTP/2 with eight streams a connection. h2load tells no percentiles."""
    del folder
    header = ["-H", f"authorization: Bearer {case.token}"] if case.token else []
    clients = max(load.connections // 8, 1)
    command = ["h2load", "-t1", f"-c{clients}", "-m8", f"-D{seconds}", *header, case.url(load.body)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    done, failed, errored = (int(re.search(rf"(\d+) {word}", output).group(1)) for word in ("2xx", "failed", "errored"))
    # Streams still open when the time is over count as failed; anything else is wrong.
    if errored or failed > load.connections or not done:
        raise AssertionError(f"{case.name}: {failed} requests failed, {errored} had errors:\n{output}")
    return done, seconds, None, None


def settle(seconds):
    """Lets connections of the last run close, so that their end is not counted in the next."""
    time.sleep(seconds)
