#!/usr/bin/env python3
"""Moves a large store from a file to MongoDB and back by `vestibule store migrate`, killed half-way each time, and compares.

    target/mongodb/bin/python tests/scripts/moving_stores.py [USERS]        default 1000; each has two sessions

Says how long each step took. Exits 1 when the file at the end differs from the one at the beginning in anything. `--mongodb
URL` moves by way of a real deployment.
"""

import argparse
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway import RELEASE_BINARY, Gateway, end_on_sigterm
from mongodb import Server

TABLES = ("users", "sessions", "api_keys", "one_time_tokens", "mails", "keys", "changes")

# A configuration has at least one; nobody asks for it here.
CONFIG = """
[[route]]
path = "/"
upstream = "http://127.0.0.1:9"
"""

FILL = """
BEGIN;
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :users)
INSERT INTO users (id, email, email_key, first_name, roles, is_active, email_verified, password_hash, password_changed_at,
                   created_at, updated_at, profile, external_id)
SELECT printf('u%08d', n), 'u' || n || '@example.com', 'u' || n || '@example.com', 'Ada', '["editor"]', 1, n % 2, '$h' || n, n, n, n,
       '{"city":"London","year":1815}', 'old-' || n
FROM n;
WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 2 * :users - 1)
INSERT INTO sessions (id, user_id, created_at, last_used_at, ip, user_agent, refresh_current, refresh_previous, rotated_at,
                      expires_at, access_expires_at, scopes)
SELECT printf('%08x-0000-4000-8000-%012d', n * 2654435761 % 4294967296, n), printf('u%08d', n / 2 + 1), n, n, '192.0.2.1', 'curl/8',
       randomblob(32), randomblob(32), n, 4102444800000, n, iif(n % 3, NULL, '["docs:write"]')
FROM n;
INSERT INTO one_time_tokens (hash, purpose, user_id, expires_at)
SELECT randomblob(32), iif(created_at % 2, 'verify_email', 'reset_password'), id, 4102444800000 FROM users WHERE created_at <= 2000;
INSERT INTO mails (purpose, email_key, requested_at, due_at, attempts, claim)
SELECT 'verify_email', email_key, created_at, created_at, 1, iif(created_at % 2, randomblob(32), NULL) FROM users WHERE created_at <= 2000;
COMMIT;
"""


def fill(file, users):
    connection = sqlite3.connect(file)
    for statement in FILL.split(";"):
        connection.execute(statement, {"users": users} if ":users" in statement else {})
    connection.close()


def contents(file):
    connection = sqlite3.connect(file)
    return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES}


def migrate(options, folder, source, target, kill_at=None):
    """Runs the command to its end, or kills it when it is half through `kill_at`; returns what it said."""
    command = [options.binary.resolve(), "store", "migrate", "--from", source, "--to", target]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        found = re.match(rf"{kill_at}: (\d+) of (\d+)", line)
        if found and 2 * int(found[1]) >= int(found[2]):
            process.send_signal(signal.SIGKILL)
        elif not re.match("(looking|copying|comparing)", line):
            print(line, end="")
    said = process.stdout.read()
    code = process.wait()
    what = "killed half-way" if code == -signal.SIGKILL else f"exit code {code}"
    print(f"{source.split(':')[0]:>8} to {target.split(':')[0]:<8} {what:<16} {time.monotonic() - started:7.1f} s", flush=True)
    if code != (-signal.SIGKILL if kill_at else 0):
        sys.exit(f"that was not expected\n{said}")
    return said


def move(options, folder, url):
    with_schema = Gateway(options.binary, folder, CONFIG)
    with_schema.start()
    with_schema.wait_until_ready()
    with_schema.kill(signal.SIGTERM)
    file = folder / "vestibule.db"
    fill(file, options.users)
    for source, target in ((f"sqlite:{file}", url), (url, "sqlite:back.db")):
        migrate(options, folder, source, target, kill_at="copying sessions")
        print(migrate(options, folder, source, target).splitlines()[-1])
    return contents(file) == contents(folder / "back.db")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("users", nargs="?", type=int, default=1000)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    parser.add_argument("--mongodb", help="URL of an empty database")
    options = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="moving-stores-") as folder:
        server = None if options.mongodb else Server(folder)
        try:
            if server:
                server.start()
            # While the stand-in scans a collection it answers nobody, and the driver would take it for dead.
            is_equal = move(options, Path(folder), options.mongodb or server.url("moving") + "&connectTimeoutMS=120000")
        finally:
            if server:
                server.kill()
    print(f"{options.users} users and {2 * options.users} sessions: " + ("equal" if is_equal else "NOT EQUAL"))
    sys.exit(0 if is_equal else 1)


if __name__ == "__main__":
    main()
