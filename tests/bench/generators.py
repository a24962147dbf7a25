"""The load generators: each drives one case and returns (requests, seconds, p50, p99), times of the last two in microseconds.

Each raises when a single request went wrong. Percentiles are None where the generator does not say.
"""

import os
import re
import ssl
import subprocess
import time
from dataclasses import replace

import minted
from contenders import BODIES, EMAIL
from gateway import PASSWORD


class StarvedError(Exception):
    """Not one request was answered, and none went wrong: the machine had no time for this run."""


WRK_REPORT = """
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
"""

# Walks over a file of paths and tokens, beginning somewhere; `at_end` says what becomes of it at the end.
WRK_WALK = """
local file, first = io.open("@lines@"), true
local size = file:seek("end")
file:seek("set", 0)
local function next_line() return file:read("*l") end
request = function()
    if first and @begin@ then file:seek("set", @begin@ % size); next_line() end
    first = false
    local line = next_line()
    if not line then @at_end@ line = next_line() end
    local path, token = line:match("^(%S+) ?(%S*)")
    if token ~= "" then wrk.headers["Authorization"] = "Bearer " .. token end
    return wrk.format("GET", path)
end
"""
# wrk has no way to say that it is done, but to go.
WRK_LEAVE_AT_END = "os.exit(0)"
WRK_BEGIN_AGAIN = 'file:seek("set", 0)'
WRK_ALL_GOOD = """
response = function(status) if status ~= 200 then io.stderr:write("answered ", status); os.exit(1) end end
"""


def wrk(case, load, seconds, folder, headers=()):
    """Keep-alive connections, each with one request at a time."""
    script = folder / "report.lua"
    script.write_text(WRK_REPORT + (walk(case.lines, str(time.time_ns() % 10**9), WRK_BEGIN_AGAIN) if case.lines else ""))
    output = start_wrk(case, load, f"{seconds}s", script, headers)
    requests, micros, errors, p50, p99 = map(int, re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)$", output, re.M).groups())
    if not errors and not requests:
        raise StarvedError(f"{case.name}: no request was answered in {seconds} s")
    if errors:
        raise AssertionError(f"{case.name}: {errors} of {requests} requests went wrong:\n{output}")
    return requests, micros / 1e6, p50, p99


def walk(lines, begin, at_end):
    return WRK_WALK.replace("@lines@", str(lines)).replace("@begin@", begin).replace("@at_end@", at_end)


def start_wrk(case, load, duration, script, headers=()):
    headers = [f"Authorization: Bearer {case.token}", *headers] if case.token else headers
    given = [word for header in headers for word in ("-H", header)]
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{duration}", "-s", str(script), *given, case.url(load.body)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{case.name}: wrk failed: {done.stderr}")
    return done.stdout


def wrk_closing(case, load, seconds, folder):
    """A new connection for every request."""
    return wrk(case, load, seconds, folder, ("Connection: close",))


def walk_once(case, load, _seconds, folder):
    """Every line of the case's file once. What was under way at the end counts as done: `connections` of all the lines."""
    script = folder / "walk.lua"
    script.write_text(walk(case.lines, "false", WRK_LEAVE_AT_END) + WRK_ALL_GOOD)
    started = time.monotonic()
    start_wrk(case, load, "3600s", script)
    return minted.count(case.lines), time.monotonic() - started, None, None


def sign_in(case, load, seconds, path):
    """Writes a line with a new token for every sign-in that there is time for."""
    script = path.with_suffix(".lua")
    given = {"lines": path, "path": case.path(load.body), "email": EMAIL, "password": PASSWORD}
    script.write_text(re.sub("@([a-z]+)@", lambda found: str(given[found[1]]), minted.SIGN_IN))
    # Few at a time: more would wait for the hashers, and be refused.
    start_wrk(case, replace(load, connections=4), f"{seconds}s", script)


def h2load(streams):
    """Returns a generator of HTTP/2 requests, so many at a time on each connection."""

    def send(case, load, seconds, folder):
        return start_h2load(case, load, seconds, folder, [f"-m{streams}"], load.connections * streams)

    return send


def at_rate(rate):
    """Returns a generator that sends `rate` requests a second, spread over the connections. One that waits for an answer sends
    its next late, and time counts from sending."""

    def send(case, load, seconds, folder):
        more = ["--h1", f"--rps={rate / load.connections:.2f}"]
        return start_h2load(case, load, seconds, folder, more, load.connections)

    return send


def start_h2load(case, load, seconds, folder, more, most_open):
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    header = ["-H", f"authorization: Bearer {case.token}"] if case.token else []
    command = ["h2load", "-t1", f"-c{load.connections}", f"-D{seconds}", f"--log-file={log}", *more, *header, case.url(load.body)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    done, failed, errored = (int(re.search(rf"(\d+) {word}", output).group(1)) for word in ("2xx", "failed", "errored"))
    if not done and not errored:
        raise StarvedError(f"{case.name}: no request was answered in {seconds} s")
    # What is still open when the time is over counts as failed; anything else is wrong.
    if errored or failed > most_open:
        raise AssertionError(f"{case.name}: {failed} requests failed, {errored} had errors:\n{output}")
    times = sorted(int(line.split()[2]) for line in log.read_text().splitlines() if line.split()[1] == "200")
    return done, seconds, times[len(times) // 2], times[len(times) * 99 // 100]


def handshakes(case, load, seconds, folder):
    """Full TLS handshakes, each with one request."""
    del folder
    return connect_often(case, load, seconds, "-new", "*")


def resumptions(case, load, seconds, folder):
    """Connections that resume the session of the one before, each with one request."""
    del folder
    return connect_often(case, load, seconds, "-reuse", "r")


def connect_often(case, load, seconds, mode, mark):
    """Returns how often `openssl s_time` connected; `mark` is what it prints for each connection of the kind that is wanted."""
    target = ["-connect", f"127.0.0.1:{case.port}", "-www", in_http_1_1(case.path(load.body))]
    command = ["openssl", "s_time", *target, mode, "-time", str(seconds)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = time.monotonic()
    clients = [subprocess.Popen(command, **pipes) for _ in range(os.cpu_count())]
    outputs = [client.communicate()[0] for client in clients]
    elapsed = time.monotonic() - started
    # The last such line is of the kind that was asked for.
    found = [re.findall(r"(\d+) connections in \d+ real seconds, (\d+) bytes", output)[-1] for output in outputs]
    done = sum(int(count) for count, _ in found)
    marks = sum(len(line) for output in outputs for line in output.splitlines() if line and set(line) == {mark})
    if not done or marks < done or any(int(size) < BODIES[load.body] for _, size in found):
        raise AssertionError(f"{case.name}: {marks} of {done} connections were of the kind `{mode}`:\n{outputs[0][-300:]}")
    return done, elapsed, None, None


def in_http_1_1(path):
    """Returns what makes `openssl s_time`, which writes `GET … HTTP/1.0`, ask for the path as everybody does today."""
    return f"{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Left:"


def unverified():
    """Returns a TLS context for certificates that nobody signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
