#!/usr/bin/env python3
"""Kills the gateway with SIGKILL at random moments while people register, sign in, refresh and leave, and holds it to every
answer that it gave.

After each kill it is started again on the same file. Then SQLite must find the file sound, and in it must be: every account
whose registration was answered, under that id; every session that was begun, with the refresh token that was answered last;
and no session whose end was answered. What was not answered may have happened or not, but nothing in between. Samples must
sign in, refresh and be let in, or be refused if they have left.

    tests/scripts/kill_nine.py [ROUNDS]        default 200; some rounds are killed while they start

What it can't show: SIGKILL leaves the kernel's page cache alone, so a loss of power is another matter (`synchronous=FULL`).
Exits 1 when anything was lost or came back. Only Python's standard library is needed.
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
from promises import Client, Promises

CONFIG = """
[auth]
algorithm = "EdDSA"
issuer = "https://kill-nine.example"
# Nothing may run out while this runs, and a refresh that was cut off may be asked again however slow the machine is.
access_ttl = "1d"
refresh_grace = "1h"
[[route]]
path = "/"
upstream = "http://127.0.0.1:9"
"""


@dataclass
class Round:
    number: int
    transport: str
    killed: str = ""
    answered: int = 0
    wrong: list = field(default_factory=list)
    samples: int = 0
    integrity: str = ""
    restart_ms: float = 0

    def is_good(self):
        return not self.wrong and self.integrity == "ok"

    def line(self):
        verdict = "ok" if self.is_good() else "FAILED " + "; ".join(self.wrong[:3])
        return (
            f"{self.number:>5}  {self.transport:<5} {self.killed:<20} {self.answered:>8} {self.samples:>8}"
            f" {self.integrity[:10]:>10} {self.restart_ms:>8.0f}  {verdict}"
        )


HEADING = "round  over  killed after         answered  sampled  integrity  up in ms"


def work_until_cut_off(gateway, client, this):
    """One client does one thing after the other on one connection, until there is nobody to answer."""
    try:
        connection = gateway.connect()
        while True:
            client.do_something(connection)
    except (OSError, http.client.HTTPException, ValueError):
        # The process is gone, perhaps in the middle of an answer: what was not answered in full was not promised.
        return
    except AssertionError as error:
        this.wrong.append(str(error))


def kill_while_starting(gateway, this):
    gateway.kill()
    gateway.start()
    pause = random.uniform(0, 0.08)
    time.sleep(pause)
    this.killed = f"{pause * 1000:.0f} ms of starting"
    gateway.kill()


def work_and_kill(gateway, promises, this, clients):
    """Lets clients work on the gateway, which runs, and kills it."""
    before = promises.answered
    people = [Client(promises, f"r{this.number}c{client}") for client in range(clients)]
    threads = [
        threading.Thread(target=work_until_cut_off, args=(gateway, person, this), daemon=True) for person in people
    ]
    for thread in threads:
        thread.start()
    if this.number % 4:
        # On a busy machine the moment would else come before anybody was promised anything.
        wait_until(lambda: promises.answered > before, "something is answered")
    pause = random.uniform(0, 0.5)
    time.sleep(pause)
    this.killed = f"{pause * 1000:.0f} ms of work"
    gateway.kill()
    for thread in threads:
        thread.join(timeout=60)
    this.answered = promises.answered - before


def check_file(database, promises, this):
    """Looks into the file beside the running gateway: opening it with nobody there would repair it on the way."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    this.integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    if orphans:
        this.integrity = f"{len(orphans)} orphans"
    users = dict(connection.execute("SELECT email, id FROM users"))
    sessions = {row[0]: row[1] for row in connection.execute("SELECT id, refresh_current FROM sessions")}
    connection.close()
    this.wrong.extend(promises.broken_in(users, sessions))


def check_people(gateway, promises, this, count):
    """Uses what was given to samples before the kill, and what was taken from them; the newest of both are among them."""
    connection = gateway.connect()
    for session in promises.sample(count):
        this.samples += 1
        this.wrong.extend(session.broken_over(connection))
    for email, user_id in promises.sample_users(count):
        status, answer = post(connection, "/auth/login", {"email": email, "password": PASSWORD})
        if status != 200 or answer["user_id"] != user_id:
            this.wrong.append(f"login {email}: {status}")
    connection.close()


def one_round(gateway, promises, number, options):
    """Kills the gateway that runs and starts the one that the next round kills."""
    this = Round(number, "http" if gateway.tls == "off" else "https")
    if number % 7 == 1:
        kill_while_starting(gateway, this)
    else:
        work_and_kill(gateway, promises, this, options.clients)
    started = time.monotonic()
    gateway.tls = "off" if number % 2 else "self-signed"
    gateway.start()
    gateway.wait_until_ready()
    this.restart_ms = (time.monotonic() - started) * 1000
    check_file(gateway.folder / "vestibule.db", promises, this)
    check_people(gateway, promises, this, options.samples)
    return this


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=200)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--clients", type=int, default=8, help="connections that work at the same time")
    parser.add_argument("--samples", type=int, default=5, help="newest, and again as many random, sessions and people a round")
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
            gateway.start()
            gateway.wait_until_ready()
            for number in range(1, options.rounds + 1):
                this = one_round(gateway, promises, number, options)
                failed += not this.is_good()
                if options.rounds <= 20 or number % 20 == 0 or not this.is_good():
                    print(this.line(), flush=True)
        finally:
            gateway.kill()
    if not promises.users:
        sys.exit("nobody was registered: nothing was tested")
    print(f"\n{options.rounds} kills, {promises.summary()}, {failed} rounds with a loss")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
