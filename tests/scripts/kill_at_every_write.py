#!/usr/bin/env python3
"""Kills the gateway at every single write, sync and truncation that a request or a start makes, one after the other, and makes
each of those calls fail as a full or a broken disk would.

For registering, signing in, refreshing and leaving: the first call of a kind kills the process, then, from the same state, the
second, until the request gets through. Each time the gateway is started again and held to what it had answered, and to all
or nothing of what it had not. The same for the first start on an empty folder and for the start on a file of the first
version. Then every such call fails with ENOSPC or EIO: the answer must be 503 with Retry-After, a token must still be good,
and all must be well when the fault is over.

    tests/scripts/kill_at_every_write.py [--every N]     needs strace; N = 1 is every call, 5 every fifth

Exits 1 when an answer was not kept.
"""

import argparse
import http.client
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from gateway import PASSWORD, RELEASE_BINARY, ROOT, Gateway, end_on_sigterm, post, wait_until
from kill_nine import CONFIG
from promises import Client, Promises

CALLS = ["pwrite64", "fdatasync", "fsync", "ftruncate", "unlink"]
DATABASE = "vestibule.db"


class Strace:
    """strace at a running process, until the end of the block; what it injects is in force when the block begins."""

    def __init__(self, pid, injection):
        trace = f"trace={','.join(CALLS)}"
        self.command = ["strace", "-f", "-p", str(pid), "-e", trace, "-e", f"inject={injection}"]

    def __enter__(self):
        self.log = tempfile.NamedTemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log)
        wait_until(lambda: "attached" in Path(self.log.name).read_text(), "strace is attached", 60)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.close()


def restore(gateway, place):
    for file in gateway.folder.glob(DATABASE + "*"):
        file.unlink()
    for file in place.glob(DATABASE + "*"):
        shutil.copy(file, gateway.folder)


def check(gateway, promises):
    """Returns what the file and the gateway that runs on it again do not keep."""
    connection = sqlite3.connect(f"file:{gateway.folder / DATABASE}?mode=ro", uri=True, timeout=10)
    integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    users = dict(connection.execute("SELECT email, id FROM users"))
    sessions = dict(connection.execute("SELECT id, refresh_current FROM sessions"))
    # Both or neither: whoever was registered has the session that came with it.
    halves = "SELECT email FROM users WHERE email LIKE 'half%' AND id NOT IN (SELECT user_id FROM sessions)"
    wrong = [f"{email} has no session" for (email,) in connection.execute(halves)]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    connection.close()
    if integrity != "ok" or orphans:
        wrong.append(f"{integrity}, {len(orphans)} orphans")
    wrong += promises.broken_in(users, sessions)
    connection = gateway.connect()
    for session in promises.sample(10):
        wrong += session.broken_over(connection)
    return wrong


def furnish(gateway):
    """Returns a client with two people and three sessions, and what it was promised."""
    promises = Promises()
    client = Client(promises, "before")
    connection = gateway.connect()
    for action in (client.register, client.register, client.log_in):
        action(connection)
    connection.close()
    return client, promises


def act(gateway, client, operation):
    """Does it; returns whether an answer came."""
    try:
        connection = gateway.connect()
        getattr(client, operation)(connection)
        return True
    except (OSError, ValueError, http.client.HTTPException):
        return False


def kill_during(gateway, operation, call, number):
    """Returns whether the process was killed by that call, and what was not kept."""
    for file in gateway.folder.glob(DATABASE + "*"):
        file.unlink()
    gateway.start()
    gateway.wait_until_ready()
    client, promises = furnish(gateway)
    if operation == "register":
        client.prefix, client.people = "half", []
    with Strace(gateway.process.pid, f"{call}:signal=SIGKILL:when={number}"):
        answered = act(gateway, client, operation)
        # Killed between the commit and the answer, or not at all: an answer says that it lives.
        was_killed = not answered
        if was_killed:
            gateway.process.wait(timeout=60)
    if not was_killed:
        gateway.kill()
    gateway.start()
    gateway.wait_until_ready()
    wrong = check(gateway, promises)
    gateway.kill()
    return was_killed, wrong


def kill_during_start(gateway, place, call, number):
    """Returns whether the start was killed by that call, and what is wrong with the start after it."""
    restore(gateway, place)
    plain = gateway.binary
    injection = f"inject={call}:signal=SIGKILL:when={number}"
    tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", injection]
    environment = {"VESTIBULE_TLS__MODE": "off", "PATH": "/usr/bin:/bin"}
    log = open(gateway.folder / "vestibule.log", "ab")
    process = subprocess.Popen(tracer + [plain, "serve", "-c", gateway.config], env=environment, stdout=log, stderr=log)
    gateway.process = process
    try:
        gateway.wait_until_ready()
        was_killed = False
    except ChildProcessError:
        was_killed = True
    if not was_killed:
        # The tracer passes SIGTERM on to nobody; its child is the gateway.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        subprocess.run(["kill", "-KILL", *children], check=False)
        process.wait(timeout=60)
    gateway.start()
    gateway.wait_until_ready()
    connection = sqlite3.connect(f"file:{gateway.folder / DATABASE}?mode=ro", uri=True, timeout=10)
    integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    keys = connection.execute("SELECT count(*) FROM keys").fetchone()[0]
    names = [row[0] for row in connection.execute("SELECT email FROM users")]
    connection.close()
    wrong = [] if integrity == "ok" and keys == 1 else [f"{integrity}, {keys} keys"]
    if any(place.iterdir()) and names != ["Ada@example.com"]:
        wrong.append(f"the account of the old file became {names}")
    gateway.kill()
    return was_killed, wrong


def first_version(place):
    """Makes a file as the first version left it."""
    place.mkdir()
    connection = sqlite3.connect(place / DATABASE)
    connection.executescript((ROOT / "src/store/sqlite/schema.sql").read_text())
    connection.execute(
        "INSERT INTO users (id, email, email_key, roles, is_active, email_verified, password_changed_at, created_at, updated_at)"
        " VALUES ('1', 'Ada@example.com', 'ada@example.com', '[]', 1, 0, 5, 5, 5)"
    )
    connection.execute("PRAGMA user_version = 1")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.commit()
    connection.close()


def fail_every(gateway, call, error):
    """Returns what is wrong while and after every such call fails."""
    gateway.start()
    gateway.wait_until_ready()
    client, promises = furnish(gateway)
    session, wrong = promises.sessions[0], []
    connection = gateway.connect()
    with Strace(gateway.process.pid, f"{call}:error={error}"):
        for number in range(3):
            document = json.dumps({"email": f"refused{number}@example.com", "password": PASSWORD})
            connection.request("POST", "/auth/register", document, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 503 or not answer.getheader("Retry-After"):
                wrong.append(f"registering was answered {answer.status}")
            connection.request("GET", "/auth/me", headers={"Authorization": f"Bearer {session.access}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                wrong.append(f"a good token was answered {answer.status}")
    deadline = time.monotonic() + 10
    while post(gateway.connect(), "/auth/register", {"email": "after@example.com", "password": PASSWORD})[0] != 201:
        if time.monotonic() > deadline:
            wrong.append("no recovery within 10 s")
            break
    gateway.kill()
    gateway.start()
    gateway.wait_until_ready()
    wrong += check(gateway, promises)
    if "panicked" in (gateway.folder / "vestibule.log").read_text(errors="replace"):
        wrong.append("it panicked")
    gateway.kill()
    return wrong


def until_it_gets_through(name, every, attempt):
    """Kills at one call after the other; returns how many kills, and what was not kept."""
    kills, broken = 0, []
    for call in CALLS:
        number = 1
        while True:
            was_killed, wrong = attempt(call, number)
            broken += [f"{name}, {call} {number}: {reason}" for reason in wrong]
            if not was_killed:
                break
            kills += 1
            number += every
    print(f"{name:<28} {kills:>4} kills  {'ok' if not broken else 'FAILED'}", flush=True)
    return kills, broken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--every", type=int, default=1, help="kill at every Nth call only")
    options = parser.parse_args()
    end_on_sigterm()
    random.seed(1)
    kills, broken = 0, []
    with tempfile.TemporaryDirectory(prefix="kill-at-write-") as folder:
        gateway = Gateway(options.binary, folder, CONFIG)
        empty, old = gateway.folder / "empty", gateway.folder / "old"
        empty.mkdir()
        first_version(old)
        try:
            attempts = [(name, partial(kill_during, gateway, name)) for name in ("register", "log_in", "refresh", "log_out")]
            attempts.append(("start on nothing", partial(kill_during_start, gateway, empty)))
            attempts.append(("start on version 1", partial(kill_during_start, gateway, old)))
            for name, attempt in attempts:
                count, wrong = until_it_gets_through(name, options.every, attempt)
                kills, broken = kills + count, broken + wrong
            for call, error in (("pwrite64", "ENOSPC"), ("pwrite64", "EIO"), ("fsync", "EIO")):
                restore(gateway, empty)
                wrong = fail_every(gateway, call, error)
                print(f"every {call} is {error:<12} {'ok' if not wrong else 'FAILED'}", flush=True)
                broken += [f"{call} {error}: {reason}" for reason in wrong]
        finally:
            gateway.kill()
    for reason in broken[:20]:
        print(reason)
    print(f"\n{kills} kills, {len(broken)} answers not kept")
    if kills < 10:
        sys.exit("almost nothing was killed: nothing was tested")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
