#!/usr/bin/env python3
"""Lets MongoDB fail in every way that one server and a proxy can play, under load, and holds a gateway to what it promises.

One thread pool asks for a protected page at a steady rate, and people sign in, register, refresh and leave at another. Then
MongoDB is down when the gateway starts, killed, stepped down, partitioned, silent, slow. Throughout, no protected request may
fail; sign-ins may fail only as 503 with Retry-After, only while the fault lasts or within two seconds of its end, and are
answered within five. At the end every answer that was given is looked for in the database, and used.

    target/mongodb/bin/python tests/scripts/failover.py [--seconds 8]

Exits 1 when a promise was broken.
"""

import argparse
import contextlib
import http.client
import itertools
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gateway import PASSWORD, RELEASE_BINARY, Gateway, end_on_sigterm, register, wait_until
from mongodb import Line, Proxy, Server
from promises import Client, Promises

CONFIG = """
[auth]
# Nothing may run out while this runs, and a refresh that was cut off may be asked again.
access_ttl = "1d"
refresh_grace = "1h"
[[route]]
path = "/"
upstream = "http://127.0.0.1:{app}"
[[route]]
path = "/open"
access = "public"
upstream = "http://127.0.0.1:{app}"
"""

ANSWER_WITHIN = 5.0
RECOVER_WITHIN = 2.0


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def handle(self):
        # The gateway is killed in the end, and with it its connections.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_):
        pass


@dataclass
class Asked:
    at: float
    took: float
    status: int
    retry_after: bool


@dataclass
class Load:
    gateway: Gateway
    promises: Promises
    protected: list = field(default_factory=list)
    accounts: list = field(default_factory=list)
    wrong: list = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    threads: list = field(default_factory=list)

    def start(self, pages_a_second, people_a_second):
        connection = self.gateway.connect()
        workers = 8
        for number in range(workers):
            token = register(connection, f"reader{number}@example.com")["access_token"]
            self.spawn(self.read, token, pages_a_second / workers)
        self.spawn(self.arrive, people_a_second)

    def spawn(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def paced(self, rate):
        """Yields at that rate a second, whatever happened meanwhile, until the load ends."""
        started = time.monotonic()
        for number in itertools.count():
            if self.ended.wait(max(0, started + number / rate - time.monotonic())):
                return
            yield number

    def read(self, token, rate):
        connection = self.gateway.connect()
        for _ in self.paced(rate):
            at, status = time.monotonic(), 0
            try:
                connection.request("GET", "/page", headers={"Authorization": f"Bearer {token}"})
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
            self.protected.append(Asked(at, time.monotonic() - at, status, False))

    def arrive(self, rate):
        """Each person on a thread and a connection of their own: who waits keeps nobody else from coming."""
        names = (Visitor(self, number) for number in itertools.count())
        idle = []
        lock = threading.Lock()

        def visit():
            with lock:
                visitor = idle.pop(0) if len(idle) > 20 else next(names)
            visitor.visit()
            with lock:
                idle.append(visitor)

        for _ in self.paced(rate):
            self.spawn(visit)

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(timeout=60)


class Visitor(Client):
    """Signs in each time they come; registers at first, and does something else now and then."""

    def __init__(self, load, number):
        super().__init__(load.promises, f"visitor{number}")
        self.load = load

    def visit(self):
        connection = self.load.gateway.connect()
        try:
            if self.people:
                self.log_in(connection)
                if len(self.sessions) > 2:
                    self.log_out(connection)
                elif self.sessions:
                    self.refresh(connection)
            else:
                self.register(connection)
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self.load.wrong.append(f"{self.prefix}: {error!r}")
        finally:
            connection.close()

    def ask(self, connection, path, document):
        at = time.monotonic()
        spy = RetryAfterSpy(connection)
        status, answer = super().ask(spy, path, document)
        self.load.accounts.append(Asked(at, time.monotonic() - at, status, spy.retry_after))
        return status, answer


class RetryAfterSpy:
    """A connection that remembers whether the answer said when to come again."""

    def __init__(self, connection):
        self.connection, self.retry_after = connection, False

    def request(self, *arguments):
        self.connection.request(*arguments)

    def getresponse(self):
        answer = self.connection.getresponse()
        self.retry_after = answer.getheader("Retry-After") is not None
        return answer


def play(name, load, begin, end, seconds):
    """Plays one fault, prints what came of it, and returns what was not as promised."""
    time.sleep(2)
    began = time.monotonic()
    begin()
    time.sleep(seconds)
    end()
    returned = time.monotonic()
    time.sleep(ANSWER_WITHIN + RECOVER_WITHIN)
    until = time.monotonic()
    pages = [asked for asked in load.protected if began <= asked.at < until]
    people = [asked for asked in load.accounts if began - ANSWER_WITHIN <= asked.at < until]
    failed = [asked for asked in people if asked.status >= 300]
    late = max((asked.at - returned for asked in failed), default=0)
    waits = sorted(asked.took for asked in pages)
    row = {
        "pages": len(pages),
        "pages failed": sum(asked.status != 200 for asked in pages),
        "p99 ms": round(waits[len(waits) * 99 // 100] * 1000, 1),
        "people": len(people),
        "503": len(failed),
        "without Retry-After": sum(not asked.retry_after for asked in failed),
        "before or after": sum(asked.at + asked.took < began or asked.at > returned + RECOVER_WITHIN for asked in failed),
        "slowest s": round(max(asked.took for asked in people), 2),
        "well again s": round(max(0, late), 2),
    }
    print(f"{name:<22}" + "".join(f"{value:>{len(column) + 2}}" for column, value in row.items()), flush=True)
    broken = [column for column in ("pages failed", "without Retry-After", "before or after") if row[column]]
    broken += ["slowest s"] * (row["slowest s"] > ANSWER_WITHIN)
    return [f"{name}: {column}" for column in broken]


HEADING = " " * 22 + "  pages  pages failed  p99 ms  people  503  without Retry-After  before or after  slowest s  well again s"


def start_without(gateway, proxy):
    """Starts the gateway while MongoDB can't be reached; returns what was not as promised."""
    broken = []
    proxy.set(Line.CUT)
    gateway.start()
    wait_until(lambda: status_of(gateway, "/open") == 200, "public pages are served")
    connection = gateway.connect()
    started = time.monotonic()
    connection.request("POST", "/auth/login", '{"email":"a@example.com","password":"x"}', {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    took = time.monotonic() - started
    if answer.status != 503 or answer.getheader("Retry-After") is None or took > ANSWER_WITHIN:
        broken.append(f"a sign-in at a start without MongoDB: {answer.status} after {took:.1f} s")
    if gateway.is_ready():
        broken.append("/readyz at a start without MongoDB says 200")
    proxy.set(Line.WHOLE)
    returned = time.monotonic()
    gateway.wait_until_ready()
    well = time.monotonic() - returned
    print(f"down at start: public pages served, /readyz 503, a sign-in 503 after {took:.2f} s; ready {well:.2f} s after its return")
    return broken


def status_of(gateway, path):
    try:
        connection = gateway.connect()
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0


def check(database, gateway, promises):
    """Yields every answer that the database doesn't bear out, or that the gateway does not keep to."""
    users = {user["email"]: user["_id"] for user in database.users.find({}, {"email": 1})}
    sessions = {found["_id"]: bytes(found["refresh_current"]) for found in database.sessions.find({})}
    yield from promises.broken_in(users, sessions)
    connection = gateway.connect()
    for session in promises.sample(100):
        yield from session.broken_over(connection)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--seconds", type=float, default=8, help="how long each fault lasts")
    parser.add_argument("--pages", type=int, default=200, help="protected requests a second")
    parser.add_argument("--people", type=int, default=20, help="people who come to sign in, a second")
    options = parser.parse_args()
    end_on_sigterm()
    app = ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="failover-") as folder:
        server = Server(folder)
        gateway = None
        try:
            server.start()
            proxy = Proxy(server)
            gateway = Gateway(options.binary, folder, CONFIG.format(app=app.server_port), store=proxy.url("failover"))
            broken = start_without(gateway, proxy)
            load = Load(gateway, Promises())
            load.start(options.pages, options.people)
            print(f"{options.pages} protected requests and {options.people} people a second, each fault for {options.seconds} s\n")
            print(HEADING)
            way = lambda line: (lambda: proxy.set(line), lambda: proxy.set(Line.WHOLE))
            faults = {
                "nothing": (lambda: None, lambda: None),
                "connections cut": way(Line.CUT),
                "killed and restarted": (server.kill, server.start),
                "stepped down": way(Line.STEPPED_DOWN),
                "partitioned (silence)": way(Line.STALLED),
                "slow (50 ms a message)": way(Line.SLOW),
            }
            for name, (begin, end) in faults.items():
                broken += play(name, load, begin, end, options.seconds)
            load.stop()
            lost = list(check(server.database("failover"), gateway, load.promises))
            print(f"\n{len(lost)} answers not kept, {len(load.wrong)} requests without an answer or with another refusal")
            broken += lost + load.wrong
        finally:
            if gateway:
                gateway.kill()
            server.kill()
    print(f"{load.promises.summary()}; {len(broken)} promises broken")
    for what in broken[:20]:
        print(f"  {what}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
