#!/usr/bin/env python3
"""Users of four other systems move in: their libraries make the hashes, `vestibule user import` brings them over, and ten of each,
chosen at random, sign in with their old passwords at a gateway that runs meanwhile. Then their hashes are argon2id, and importing again
changes nothing. Most hashes are of low cost, so that many can be made; the last 20 of each system are as costly as that system's own.

Usage: moving_in.py [USERS] [--binary PATH] [--seed N]. Needs passlib, Django, bcrypt and argon2-cffi (tests/README.md).
"""

import argparse
import csv
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gateway
import password_hashes as hashes

REAL = 20
SAMPLE = 10
# Distinct hashes; each is shared by many users, because a library's own overhead is what takes long.
DISTINCT = 400
# In KiB, of an import, however many users there are.
MOST_MEMORY = 128 * 1024


def make_hashes(cheap, real, count):
    """Returns `count` pairs of password and hash, the last of them made by `real`."""
    pairs = []
    for number in range(min(DISTINCT, count)):
        password = f"correct horse {number}"
        pairs.append((password, cheap[number % len(cheap)](password)))
    pairs = [pairs[number % len(pairs)] for number in range(count)]
    for number in range(1, min(REAL, count) + 1):
        password = f"costly battery {number}"
        pairs[-number] = (password, real[number % len(real)](password))
    return pairs


def person(system, number):
    return {"email": f"{system}.{number}@example.com", "username": f"{system}.{number}"}


def ravyn_mongoz(folder, pairs):
    """Documents as mongoexport writes them, with bcrypt hashes."""
    path = folder / "mongoz.jsonl"
    with open(path, "w") as out:
        for number, (_, hashed) in enumerate(pairs):
            document = {"_id": {"$oid": f"{number:024x}"}} | person("mongoz", number)
            document |= {"first_name": "Ada", "last_name": "L", "password": hashed, "last_login": None,
                         "is_active": True, "is_staff": False, "is_superuser": number == 0, "role": "user",
                         "date_of_birth": {"$date": "1990-01-31T00:00:00Z"}, "is_verified": True}
            out.write(json.dumps(document) + "\n")
    return ["--format", "jsonl", "--profile", "ravyn-mongoz", path]


def ravyn_edgy(folder, pairs):
    """CSV as PostgreSQL's COPY … CSV HEADER writes it, with Django's hashes."""
    path = folder / "edgy.csv"
    with open(path, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "first_name", "last_name", "username", "email", "password", "last_login", "is_active",
                         "is_staff", "is_superuser", "date_of_birth", "is_verified", "role"])
        for number, (_, hashed) in enumerate(pairs):
            name = person("edgy", number)
            writer.writerow([number + 1, "Ada", "L, \"Countess\"", name["username"], name["email"], hashed, "", "t",
                             "f", "f", "1990-01-31", "t", "user"])
    return ["--format", "csv", "--profile", "ravyn-edgy", path]


def auth_jwt(folder, pairs):
    """Documents as mongoexport writes them, with argon2 hashes."""
    path = folder / "auth_jwt.jsonl"
    with open(path, "w") as out:
        for number, (_, hashed) in enumerate(pairs):
            document = {"_id": {"$oid": f"a{number:023x}"}, "email": person("jwt", number)["email"],
                        "hashed_password": hashed, "created_at": {"$date": "2024-05-01T10:00:00.123Z"}}
            out.write(json.dumps(document) + "\n")
    return ["--format", "jsonl", "--profile", "auth-jwt", path]


def zentra(folder, pairs):
    """A table of SQLite, with hashes of every scheme of passlib's."""
    path = folder / "zentra.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE, email TEXT, phone TEXT, "
                     "full_name TEXT, hashed_password TEXT, is_active BOOLEAN)")
    rows = ((number + 1, f"zentra.{number}", None, None, "Ada L", hashed, 1) for number, (_, hashed) in enumerate(pairs))
    database.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.commit()
    database.close()
    return ["--format", "sqlite", "--profile", "zentra", path]


def makers(*names):
    return [maker for name, maker in (hashes.MAKERS | hashes.AS_THEY_COME).items() if name in names]


SYSTEMS = {
    "mongoz": (ravyn_mongoz, makers("bcrypt 2b", "bcrypt 2a", "passlib bcrypt 2y"), makers("bcrypt at its usual cost")),
    "edgy": (ravyn_edgy, makers("django pbkdf2 sha256", "django pbkdf2 sha1", "django scrypt", "django bcrypt"),
             makers("django as it comes", "django scrypt as it comes")),
    "jwt": (auth_jwt, makers("argon2-cffi argon2id", "argon2-cffi argon2i", "passlib argon2"),
            makers("argon2-cffi as it comes")),
    "zentra": (zentra, makers("passlib pbkdf2 sha1", "passlib pbkdf2 sha256", "passlib pbkdf2 sha512", "passlib scrypt",
                              "passlib bcrypt 2y", "passlib argon2"),
               makers("passlib pbkdf2 sha256 as it comes", "bcrypt at its usual cost")),
}

CONFIG = """
[[route]]
path = "/"
access = "protected"
upstream = "http://127.0.0.1:9"
[auth.user_fields]
date_of_birth = { type = "date" }
is_verified = { type = "boolean" }
"""


def command(server, *arguments):
    """Returns what a command printed that must succeed."""
    done = subprocess.run([server.binary, "user", *arguments, "-c", server.config], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr[-2000:]}")
    return done.stdout


def import_users(server, *arguments):
    """Returns what the import printed, how long it took, and the most memory it had, in KiB."""
    began, most = time.monotonic(), 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([server.binary, "user", "import", *arguments, "-c", server.config], stdout=out, stderr=errors)
        while process.poll() is None:
            most = max(most, gateway.memory_of(process.pid, "VmHWM"))
            time.sleep(0.01)
        out.seek(0), errors.seek(0)
        if process.returncode != 0:
            raise AssertionError(f"{arguments}: {process.returncode}\n{out.read()}\n{errors.read()[-2000:]}")
        return out.read(), time.monotonic() - began, most


def export(server):
    return {user["email"] or user["username"]: user for user in map(json.loads, command(server, "export").splitlines())}


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def sign_in(server, system, number, password):
    name = person(system, number)
    who = {"username": name["username"]} if system == "zentra" else {"email": name["email"]}
    return gateway.post(server.connect(), "/auth/login", who | {"password": password})


def move(server, folder, system, count):
    write, cheap, real = SYSTEMS[system]
    pairs = make_hashes(cheap, real, count)
    arguments = write(folder, pairs)
    told, took, most = import_users(server, *arguments)
    expect(most < MOST_MEMORY, f"the import took {most} KiB")
    expect(told.startswith(f"{count} rows: {count} added, 0 here already, 0 refused\n"), told)
    sample = random.sample(range(count - REAL), SAMPLE - 2) + random.sample(range(count - REAL, count), 2)
    for number in sample:
        status, _ = sign_in(server, system, number, "not " + pairs[number][0])
        expect(status == 401, f"{system} {number}: {status} for a wrong password")
        status, answer = sign_in(server, system, number, pairs[number][0])
        expect(status == 200, f"{system} {number}: {status} {answer} for {pairs[number]}")
    before = export(server)
    for number in sample:
        user = before[person(system, number)["username" if system == "zentra" else "email"]]
        expect(user["password_hash"].startswith("$argon2id$v=19$m=8,t=1,p=1$"), f"not upgraded: {user}")
        expect(user["external_id"], f"no id of the other system: {user}")
    told, _, _ = import_users(server, *arguments)
    expect(told == f"{count} rows: 0 added, {count} here already, 0 refused\nnothing was changed\n", told)
    expect(export(server) == before, f"{system}: a second import changed something")
    print(f"{system}: {count} users in {took:.1f} s and {most // 1024} MiB; {SAMPLE} signed in and were upgraded; "
          "again: nothing changed", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("users", type=int, nargs="?", default=100_000)
    parser.add_argument("--binary", default="target/release/vestibule")
    parser.add_argument("--seed", type=int, default=time.time_ns())
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    print(f"seed {arguments.seed}", flush=True)
    gateway.end_on_sigterm()
    for system in SYSTEMS:
        # A store each: two systems that count their users have ids in common.
        with tempfile.TemporaryDirectory() as folder:
            server = gateway.Gateway(arguments.binary, folder, CONFIG)
            server.start()
            try:
                server.wait_until_ready()
                move(server, Path(folder), system, arguments.users)
            finally:
                server.kill()


if __name__ == "__main__":
    main()
