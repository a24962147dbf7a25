#!/usr/bin/env python3
"""Kills the gateway with SIGKILL at random moments while people register, and holds it to every answer that it gave.

After each kill it is started again on the same file. Then SQLite must find the file sound, every registration that was ever
answered 201 must be in it under the id that was answered, and samples must sign in, refresh the session that they were given,
and be let in by the access token that the killed process had signed.

    tests/scripts/kill_nine.py [ROUNDS]        default 200; some rounds are killed while they start

What it can't show: SIGKILL leaves the kernel's page cache alone, so a loss of power is another matter (`synchronous=FULL`).
Exits 1 when anything was lost. Only Python's standard library is needed.
"""

import argparse
import http.client
import random
import sqlite3
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from gateway import PASSWORD, RELEASE_BINARY, Gateway, end_on_sigterm, post, wait_until

CONFIG = """
[auth]
algorithm = "EdDSA"
issuer = "https://kill-nine.example"
[[route]]
path = "/"
upstream = "http://127.0.0.1:9"
"""


@dataclass
class Promises:
    """What clients were answered: id, access and refresh token by e-mail."""

    kept: dict = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, email, answer):
        with self.lock:
            self.kept[email] = (answer["user_id"], answer["access_token"], answer["refresh_token"])


@dataclass
class Round:
    number: int
    transport: str
    killed: str
    answered: int = 0
    lost: int = 0
    changed: int = 0
    unanswered_but_kept: int = 0
    samples: int = 0
    refused: list = field(default_factory=list)
    integrity: str = ""
    restart_ms: float = 0

    def is_good(self):
        return not (self.lost or self.changed or self.refused) and self.integrity == "ok"

    def line(self):
        verdict = "ok" if self.is_good() else "FAILED " + "; ".join(self.refused[:3])
        return (
            f"{self.number:>5}  {self.transport:<5} {self.killed:<22} {self.answered:>8} {self.lost:>5} {self.changed:>8}"
            f" {self.unanswered_but_kept:>10} {self.samples:>8} {self.integrity[:10]:>10} {self.restart_ms:>8.0f}  {verdict}"
        )


HEADING = (
    "round  over  killed after            answered  lost  changed  unanswered  sampled  integrity  up in ms\n"
    "                                                              but there"
)


def register_until_cut_off(gateway, promises, prefix):
    """One client: registers one user after the other on one connection, until there is nobody to answer."""
    number = 0
    try:
        connection = gateway.connect()
        while True:
            number += 1
            email = f"{prefix}-{number}@example.com"
            status, answer = post(connection, "/auth/register", {"email": email, "password": PASSWORD})
            if status == 201:
                promises.add(email, answer)
            elif status != 503:
                sys.exit(f"registering {email} was answered {status}: {answer}")
    except (OSError, http.client.HTTPException, ValueError):
        # The process is gone, perhaps in the middle of an answer: what was not answered in full was not promised.
        return


def run_and_kill(gateway, promises, this, clients):
    """Starts the gateway, lets clients register, and kills it."""
    gateway.start()
    if this.killed == "start":
        pause = random.uniform(0, 0.08)
        time.sleep(pause)
        this.killed = f"{pause * 1000:.0f} ms of starting"
        gateway.kill()
        return
    gateway.wait_until_ready()
    before = len(promises.kept)
    prefixes = [f"r{this.number}c{client}" for client in range(clients)]
    threads = [
        threading.Thread(target=register_until_cut_off, args=(gateway, promises, prefix), daemon=True)
        for prefix in prefixes
    ]
    for thread in threads:
        thread.start()
    if this.number % 4:
        # On a busy machine the moment would else come before anybody was promised anything.
        wait_until(lambda: len(promises.kept) > before, "a registration is answered")
    pause = random.uniform(0, 0.5)
    time.sleep(pause)
    this.killed = f"{pause * 1000:.0f} ms of registering"
    gateway.kill()
    for thread in threads:
        thread.join(timeout=60)
    this.answered = len(promises.kept) - before


def check_file(database, promises, this):
    """Looks into the file beside the running gateway: opening it with nobody there would repair it on the way."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    this.integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    if orphans:
        this.integrity = f"{len(orphans)} orphans"
    stored = dict(connection.execute("SELECT email, id FROM users"))
    connection.close()
    this.lost = sum(email not in stored for email in promises.kept)
    this.changed = sum(stored.get(email, kept[0]) != kept[0] for email, kept in promises.kept.items())
    this.unanswered_but_kept = sum(email not in promises.kept for email in stored)


def check_people(gateway, promises, this, count):
    """Signs samples in, the newest among them, and uses the tokens that they were given before the kill."""
    everybody = list(promises.kept)
    chosen = everybody[-count:] + random.sample(everybody, min(count, len(everybody)))
    connection = gateway.connect()
    for email in dict.fromkeys(chosen):
        user_id, access, refresh = promises.kept[email]
        this.samples += 1
        status, answer = post(connection, "/auth/login", {"email": email, "password": PASSWORD})
        if status != 200 or answer["user_id"] != user_id:
            this.refused.append(f"login {email}: {status}")
        connection.request("GET", "/auth/me", headers={"Authorization": f"Bearer {access}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            this.refused.append(f"access token of {email}: {answer.status}")
        status, answer = post(connection, "/auth/refresh", {"refresh_token": refresh})
        if status != 200:
            this.refused.append(f"refresh {email}: {status}")
        else:
            promises.kept[email] = (user_id, answer["access_token"], answer["refresh_token"])
    connection.close()


def one_round(gateway, promises, number, options):
    gateway.tls = "off" if number % 2 else "self-signed"
    this = Round(number, "http" if number % 2 else "https", "start" if number % 7 == 1 else "")
    run_and_kill(gateway, promises, this, options.clients)
    started = time.monotonic()
    gateway.start()
    gateway.wait_until_ready()
    this.restart_ms = (time.monotonic() - started) * 1000
    check_file(gateway.folder / "vestibule.db", promises, this)
    check_people(gateway, promises, this, options.samples)
    gateway.kill()
    return this


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=200)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--clients", type=int, default=8, help="connections that register at the same time")
    parser.add_argument("--samples", type=int, default=5, help="newest, and again as many random people, to sign in a round")
    parser.add_argument("--seed", type=int, default=None, help="of the moments to kill at")
    options = parser.parse_args()
    end_on_sigterm()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    random.seed(seed)
    print(f"{options.binary}, {options.rounds} rounds, {options.clients} clients, seed {seed}\n\n{HEADING}")
    promises, failed = Promises(), 0
    with tempfile.TemporaryDirectory(prefix="kill-nine-") as folder:
        gateway = Gateway(options.binary, folder, CONFIG)
        try:
            for number in range(1, options.rounds + 1):
                this = one_round(gateway, promises, number, options)
                failed += not this.is_good()
                if options.rounds <= 20 or number % 20 == 0 or not this.is_good():
                    print(this.line(), flush=True)
        finally:
            gateway.kill()
    if not promises.kept:
        sys.exit("nobody was registered: nothing was tested")
    print(f"\n{options.rounds} kills, {len(promises.kept)} registrations answered, {failed} rounds with a loss")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
