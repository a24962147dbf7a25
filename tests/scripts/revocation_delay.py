#!/usr/bin/env python3
"""Measures how long a token lives on one gateway after its session was ended on another, both on one MongoDB.

    target/mongodb/bin/python tests/scripts/revocation_delay.py [ROUNDS]        default 200

Counted from when the logout was answered to when the other gateway began to answer the first request that it refused. Exits 1
when the 99th percentile is above a second. `--mongodb URL` measures a real deployment.
"""

import argparse
import sys
import tempfile
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path

from failover import CONFIG, App
from gateway import RELEASE_BINARY, Gateway, end_on_sigterm, post, register
from mongodb import Server


def status(connection, token):
    connection.request("GET", "/page", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def one_round(here, there, number):
    """Returns the seconds for which the other gateway still took the token."""
    grant = register(here, f"person{number}-{time.time_ns()}@example.com")
    if status(there, grant["access_token"]) != 200:
        raise AssertionError("the other gateway does not take the token")
    answered, _ = post(here, "/auth/logout", {"refresh_token": grant["refresh_token"]})
    ended = time.monotonic()
    if answered != 204:
        raise AssertionError(f"logout: {answered}")
    while True:
        asked = time.monotonic()
        if status(there, grant["access_token"]) == 401:
            return asked - ended
        if asked - ended > 30:
            raise AssertionError("the other gateway takes the token for ever")


def measure(options, url, folder):
    app = ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    gateways = []
    try:
        for name in ("here", "there"):
            place = Path(folder) / name
            place.mkdir()
            gateways.append(Gateway(options.binary, place, CONFIG.format(app=app.server_port), store=url))
            gateways[-1].start()
        for gateway in gateways:
            gateway.wait_until_ready()
        here, there = (gateway.connect() for gateway in gateways)
        return sorted(one_round(here, there, number) for number in range(options.rounds))
    finally:
        for gateway in gateways:
            gateway.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=200)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--mongodb", help="URL of a database that may be filled")
    options = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="revocation-") as folder:
        server = None if options.mongodb else Server(folder)
        try:
            if server:
                server.start()
            delays = measure(options, options.mongodb or server.url("revocation"), folder)
        finally:
            if server:
                server.kill()
    at = lambda share: f"{delays[min(len(delays) - 1, int(len(delays) * share))] * 1000:.0f} ms"
    print(f"{len(delays)} logouts: p50 {at(0.5)}, p90 {at(0.9)}, p99 {at(0.99)}, at most {at(1)}")
    sys.exit(delays[int(len(delays) * 0.99)] > 1)


if __name__ == "__main__":
    main()
