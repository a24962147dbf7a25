#!/usr/bin/env python3
"""Whether a gateway that is used for long holds more and more memory: half an hour of all kinds of clients, and its memory meanwhile.

    tests/bench/soak.py [--minutes 30] [--json FILE]     # exits 1 when the last third held more than the middle one

Over TLS and at a modest rate: HTTP/1.1 and HTTP/2 on connections that end every minute, visitors who register, sign in,
refresh, read and leave on a connection of their own, and clients that go away in the middle of a head or of an answer.
Tokens last a minute, so that what is remembered of them has reached its size when the first third is over.
Needs nginx and h2load.
"""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import contenders
from gateway import PASSWORD, RELEASE_BINARY, Gateway, end_on_sigterm, post, register
from generators import unverified

CONFIG = """
[auth]
access_ttl = "1m"
refresh_ttl = "2m"
session_max = "2m"
{tls}
[upstream.app]
servers = ["http://127.0.0.1:{upstream}"]
[[route]]
path = "/"
access = "public"
upstream = "app"
[[route]]
path = "/private"
strip_prefix = true
upstream = "app"
"""
# What the allocator moves by itself.
GROWTH = 0.05
PAUSE = 5
SLICE = 60


class Load:
    """Everything that asks the gateway, until told to stop; a client that fails unexpectedly is kept as the reason."""

    def __init__(self, gateway, rate):
        self.gateway, self.rate, self.over, self.failure = gateway, rate, threading.Event(), None
        self.visits = self.requests = 0
        self.generators = []
        clients = [self.steady, self.visit, self.leave_early]
        self.threads = [threading.Thread(target=self.repeat, args=(client,), daemon=True) for client in clients]
        for thread in self.threads:
            thread.start()

    def repeat(self, client):
        while not self.over.is_set():
            try:
                client()
            except Exception as failure:  # noqa: BLE001: whatever it is, it is the result
                self.failure = self.failure or f"{client.__name__}: {failure!r}"
                self.over.set()

    def end(self):
        self.over.set()
        for process in self.generators:
            process.terminate()
        for thread in self.threads:
            thread.join()

    def steady(self):
        """HTTP/1.1 and HTTP/2 for a minute."""
        url, rate = self.gateway.url("/1k"), self.rate
        kinds = (["--h1", "-c20", f"--rps={rate / 2 / 20}"], ["-c5", "-m4", f"--rps={rate / 2 / 5}"])
        commands = [["h2load", "-t1", f"-D{SLICE}", *kind, url] for kind in kinds]
        self.generators = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
        for process in self.generators:
            output = process.communicate()[0]
            done = int(output.partition("status codes: ")[2].split(" 2xx")[0] or 0)
            if not done and not self.over.is_set():
                raise AssertionError(output[-500:])
            self.requests += done

    def visit(self):
        """Somebody new comes, reads, and goes: a sign-in and a TLS handshake for each, four times a second."""
        connection = self.gateway.connect()
        with contextlib.closing(connection):
            email = f"visitor-{self.visits % 500}@example.com"
            if self.visits < 500:
                tokens = register(connection, email)
            else:
                tokens = accepted(post(connection, "/auth/login", {"email": email, "password": PASSWORD}), 200)
            tokens = accepted(post(connection, "/auth/refresh", {"refresh_token": tokens["refresh_token"]}), 200)
            bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
            for path in ("/private/1k", "/private/100k"):
                connection.request("GET", path, headers=bearer)
                answer = connection.getresponse()
                answer.read()
                accepted((answer.status, None), 200)
            accepted(post(connection, "/auth/logout", {"refresh_token": tokens["refresh_token"]}), 204)
        self.visits += 1
        self.over.wait(0.25)

    def leave_early(self):
        """Ends in the middle of a head, or of an answer that nobody reads."""
        for sent in (b"GET /1k HTTP/1.1\r\nHost: 127", b"GET /100k HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
            with unverified().wrap_socket(socket.create_connection(("127.0.0.1", self.gateway.port), timeout=30)) as stream:
                stream.sendall(sent)
                self.over.wait(0.2)


def accepted(answer, expected):
    status, document = answer
    if status != expected:
        raise AssertionError(f"answered {status} {document}, expected {expected}")
    return document


def watch(gateway, load, seconds):
    """Returns pairs of seconds and KiB; ends early when the load does."""
    started, samples = time.monotonic(), []
    while (elapsed := time.monotonic() - started) < seconds and not load.over.wait(PAUSE):
        samples.append((round(elapsed), gateway.memory("VmRSS")))
        if len(samples) % (SLICE // PAUSE) == 0:
            print(f"{samples[-1][0] // 60:>4} min {samples[-1][1]:>8,} KiB, {load.visits:,} visits", flush=True)
    return samples


def judge(samples):
    """Returns the medians of the three thirds, in KiB."""
    third = len(samples) // 3
    return [median(kib for _, kib in samples[at * third : (at + 1) * third]) for at in range(3)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=200, help="proxied requests a second, beside the visitors")
    parser.add_argument("--json", type=Path, help="where every sample is written")
    options = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        with contenders.Field(options.binary, Path(folder), os.cpu_count()) as ground:
            tls = contenders.conf.VESTIBULE_TLS.format(certificate=ground.certificate)
            config = CONFIG.format(tls=tls, upstream=ground.upstream)
            gateway = Gateway(options.binary, ground.subfolder("vestibule"), config, tls="files")
            gateway.start()
            ground.gateways.append(gateway)
            gateway.wait_until_ready()
            load = Load(gateway, options.rate)
            samples = watch(gateway, load, options.minutes * 60)
            load.end()
    if load.failure:
        sys.exit(load.failure)
    first, middle, last = judge(samples)
    growth = last / middle - 1
    result = {"minutes": options.minutes, "visits": load.visits, "requests": load.requests, "thirds_kib": [first, middle, last]}
    if options.json:
        options.json.write_text(json.dumps(result | {"samples": samples}, indent=1))
    print(f"{load.visits:,} visits and {load.requests:,} other requests in {options.minutes:g} minutes; median memory of each third:")
    print(f"{first:,.0f}, {middle:,.0f} and {last:,.0f} KiB; the last is {growth:+.1%} of the middle one")
    if growth > GROWTH:
        sys.exit("memory is not flat")


if __name__ == "__main__":
    main()
