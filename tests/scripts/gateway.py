"""Starts the real binary for the scripts here and in ../bench, and asks the system what it uses.

Nothing but Python's standard library. Everything a gateway leaves behind lies in the folder that it is given.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASE_BINARY = ROOT / "target/release/vestibule"
PASSWORD = "correct horse battery staple"

LOWEST_COST = 'memory = "8KiB"\niterations = 1\n'
# What every script wants: argon2id at that cost, no limits on one busy client, no access lines.
COMMON = """
[server]
listen = ["127.0.0.1:{port}"]
ops_listen = "127.0.0.1:{ops_port}"
[store]
url = "{store}"
[limits]
register = ""
login = ""
login_account = ""
login_network = ""
[log]
access = false
level = "warn"
[password]
""" + LOWEST_COST


def free_port():
    """Returns a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_on_sigterm():
    """Makes SIGTERM an ordinary exit, so that what was started is stopped and temporary folders go."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def wait_until(condition, what, seconds=20):
    """Waits for `condition()` to be true, and returns what it came to."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.005)
    raise TimeoutError(f"{what}: not so after {seconds} s")


class Gateway:
    """One configuration and store, and the process that runs on them now, if one does."""

    def __init__(self, binary, folder, extra_config, tls="off", store=None):
        self.binary, self.folder, self.tls = Path(binary).resolve(), Path(folder), tls
        self.port, self.ops_port = free_port(), free_port()
        self.config = self.folder / "vestibule.toml"
        store = store or f"sqlite:{self.folder}/vestibule.db"
        common = COMMON.format(port=self.port, ops_port=self.ops_port, store=store)
        self.config.write_text(common + extra_config)
        self.process = None

    def start(self):
        """Starts the process and returns at once."""
        environment = os.environ | {"VESTIBULE_TLS__MODE": self.tls}
        with open(self.folder / "vestibule.log", "ab") as log:
            command = [self.binary, "serve", "-c", self.config]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder)

    def wait_until_ready(self):
        wait_until(self.is_ready, f"{self.binary} serves", 120)

    def is_ready(self):
        """Returns whether /readyz says so. Raises when the process has ended."""
        if self.process.poll() is not None:
            log = (self.folder / "vestibule.log").read_text(errors="replace")
            raise ChildProcessError(f"the gateway ended with {self.process.returncode}:\n{log[-2000:]}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.ops_port, timeout=5)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def kill(self, number=signal.SIGKILL):
        """Sends the signal to the process, if one runs, and waits for its end."""
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.wait(timeout=60)

    def connect(self):
        """Returns a new connection to the public listener; a certificate of its own making is taken as it is."""
        if self.tls == "off":
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)

    def url(self, path):
        scheme = "http" if self.tls == "off" else "https"
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def memory(self, field):
        """Returns a field of /proc/PID/status in KiB: VmRSS for now, VmHWM for the most since the last reset."""
        return memory_of(self.process.pid, field)

    def reset_peak_memory(self):
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


def memory_of(pid, field):
    """Returns a field of /proc/PID/status in KiB, 0 once the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field + ":")), 0)


def post(connection, path, document):
    """Returns status and JSON document of the answer to a POST."""
    connection.request("POST", path, json.dumps(document), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    return answer.status, json.loads(body) if body else None


def register(connection, email):
    """Returns the answer to a registration that must succeed."""
    status, answer = post(connection, "/auth/register", {"email": email, "password": PASSWORD})
    if status != 201:
        raise AssertionError(f"registering {email}: {status} {answer}")
    return answer


def children_of(pid):
    """Returns the process and everything it started, by id."""
    family = [pid]
    for parent in family:
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            # A thread may end between being listed and being read, and a process between this line and the next.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                family.extend(int(child) for child in path.read_text().split())
    return family


def cpu_seconds(pids):
    """Returns user and system time of the processes with all their threads, and of children they have waited for."""
    ticks = 0
    for pid in pids:
        # Who has ended meanwhile counts in the parent that waited for it.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")
