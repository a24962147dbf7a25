#!/usr/bin/env python3
"""Prints hashes that the libraries people come from have made, as JSON lines: what tests/fixtures/password_hashes.jsonl holds.

Needs passlib, Django, bcrypt and argon2-cffi; how to get them stands in tests/README.md. Each line has the library, the
password and the hash; the lines that a library would refuse to make (a password of more than 72 bytes for bcrypt) are cut by hand
as that library's older versions did by themselves.
"""

import json

import argon2
import bcrypt
import django.conf
import passlib.hash
from django.contrib.auth import hashers

django.conf.settings.configure()
# Its first subclass would otherwise look for a backend that is already there.
passlib.hash.argon2.set_backend()

PASSWORDS = ["correct horse battery", "pässwörd ☃ 密码", " padded\t ", "x" * 71, "é" * 36, "e\u0301te\u0301"]
LONG = "0123456789" * 8


def django_hash(hasher, **cost):
    """Returns a function from password to hash by a Django hasher at another cost than its own."""
    changed = type(hasher.__name__, (hasher,), cost)()
    return lambda password: changed.encode(password, changed.salt())


def bcrypt_with(prefix, rounds=4):
    return lambda password: bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(rounds, prefix)).decode()


def argon2_with(kind, **cost):
    return argon2.PasswordHasher(type=kind, **({"memory_cost": 64, "time_cost": 2, "parallelism": 1} | cost)).hash


MAKERS = {
    "argon2-cffi argon2id": argon2_with(argon2.Type.ID),
    "argon2-cffi argon2id in lanes": argon2_with(argon2.Type.ID, parallelism=4, hash_len=16, salt_len=8),
    "argon2-cffi argon2i": argon2_with(argon2.Type.I),
    "passlib argon2": passlib.hash.argon2.using(type="ID", memory_cost=64, rounds=1, parallelism=2).hash,
    "django argon2": django_hash(hashers.Argon2PasswordHasher, memory_cost=64, time_cost=1, parallelism=1),
    "bcrypt 2b": bcrypt_with(b"2b"),
    "bcrypt 2a": bcrypt_with(b"2a"),
    "passlib bcrypt 2y": lambda password: passlib.hash.bcrypt.using(rounds=4, ident="2y").hash(password.encode()[:72]),
    "django bcrypt": django_hash(hashers.BCryptPasswordHasher, rounds=4),
    "django bcrypt_sha256": django_hash(hashers.BCryptSHA256PasswordHasher, rounds=4),
    "passlib pbkdf2 sha1": passlib.hash.pbkdf2_sha1.using(rounds=10).hash,
    "passlib pbkdf2 sha256": passlib.hash.pbkdf2_sha256.using(rounds=10).hash,
    "passlib pbkdf2 sha256, odd salt": passlib.hash.pbkdf2_sha256.using(rounds=1, salt_size=5).hash,
    "passlib pbkdf2 sha512": passlib.hash.pbkdf2_sha512.using(rounds=10).hash,
    "django pbkdf2 sha1": django_hash(hashers.PBKDF2SHA1PasswordHasher, iterations=10),
    "django pbkdf2 sha256": django_hash(hashers.PBKDF2PasswordHasher, iterations=10),
    "passlib scrypt": passlib.hash.scrypt.using(rounds=4, block_size=8, parallelism=1).hash,
    "passlib scrypt, other block size": passlib.hash.scrypt.using(rounds=5, block_size=3, parallelism=2).hash,
    "django scrypt": django_hash(hashers.ScryptPasswordHasher, work_factor=16, block_size=8, parallelism=5),
}

# At the cost that each library has by itself, or had for years.
AS_THEY_COME = {
    "argon2-cffi as it comes": argon2.PasswordHasher().hash,
    "bcrypt at its usual cost": bcrypt_with(b"2b", 10),
    "passlib pbkdf2 sha256 as it comes": passlib.hash.pbkdf2_sha256.hash,
    "django as it comes": hashers.make_password,
    "django scrypt as it comes": django_hash(hashers.ScryptPasswordHasher),
}


def main():
    lines = [(name, password, make) for name, make in MAKERS.items() for password in PASSWORDS]
    lines += [(name, LONG, make) for name, make in MAKERS.items()]
    lines += [(name, PASSWORDS[0], make) for name, make in AS_THEY_COME.items()]
    for name, password, make in lines:
        hashed = make(password)
        print(json.dumps({"made_by": name, "password": password, "hash": hashed}, ensure_ascii=False))


if __name__ == "__main__":
    main()
