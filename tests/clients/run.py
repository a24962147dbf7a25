#!/usr/bin/env python3
"""Plays the clients of four systems that Vestibule replaces, unchanged but for host and port, against the binary with their example files.

Usage: run.py [CLIENT …] [--binary PATH] [--mongodb URI]. Clients: ravyn, ravyn_middleware, auth_jwt, zentra; all if none is named.
The store is an SQLite file for each, or a database for each of the deployment at URI. Needs httpx (tests/README.md).
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import auth_jwt
import ravyn
import ravyn_middleware
import zentra
from stage import ROOT, Stage, gateway

CLIENTS = {client.__name__: client for client in (ravyn, ravyn_middleware, auth_jwt, zentra)}


def store_variables(mongodb, folder, variables):
    """Returns the variables that name an empty store. auth-jwt's own are used where it has its own for it: MongoDB."""
    if mongodb is None:
        return {"VESTIBULE_STORE__URL": f"sqlite:{folder}/vestibule.db"}
    database = f"clients_{time.time_ns():x}"
    if "JWT_SECRET_KEY" in variables:
        return {"MONGO_URI": mongodb, "MONGO_DB_NAME": database}
    address, question, options = mongodb.partition("?")
    return {"VESTIBULE_STORE__URL": f"{address.rstrip('/')}/{database}{question}{options}"}


def play(name, binary, mongodb):
    client = CLIENTS[name]
    began = time.monotonic()
    for variables, sequence in client.PLAYS:
        with tempfile.TemporaryDirectory() as folder:
            store = store_variables(mongodb, folder, variables)
            stage = Stage(binary, folder, client.EXAMPLE, variables | store)
            try:
                with stage:
                    sequence(stage)
            except BaseException:
                print(f"{name}, {sequence.__name__}: failed. The gateway's last lines:", file=sys.stderr)
                print((Path(folder) / "vestibule.log").read_text()[-3000:], file=sys.stderr)
                raise
    print(f"{name}: {len(client.PLAYS)} played in {time.monotonic() - began:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", choices=[*CLIENTS, []], metavar="CLIENT", default=[])
    parser.add_argument("--binary", default=ROOT / "target/release/vestibule")
    parser.add_argument("--mongodb", metavar="URI")
    arguments = parser.parse_args()
    gateway.end_on_sigterm()
    for name in arguments.clients or CLIENTS:
        play(name, arguments.binary, arguments.mongodb)


if __name__ == "__main__":
    main()
