#!/usr/bin/env python3
"""Plays the clients of four systems that Vestibule replaces, unchanged but for host and port, against the binary with their example files.

Usage: run.py [CLIENT …] [--binary PATH] [--mongodb URI|own]. Clients: ravyn, ravyn_middleware, auth_jwt, zentra; all if none is named.
The store is an SQLite file for each, or a database for each of the deployment at URI; `own` is one of target/mongodb that is
started for it. Needs httpx (tests/README.md).
"""

import argparse
import contextlib
import os
import socket
import subprocess
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


@contextlib.contextmanager
def own_mongodb():
    """Yields the URI of what plays MongoDB here, in a folder of its own."""
    port, target = gateway.free_port(), Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    with tempfile.TemporaryDirectory() as folder:
        command = [target / "mongodb/bin/secantusd-py", "--host", "127.0.0.1", "--port", str(port),
                   "--storage-path", folder, "--sync-on-commit"]
        with open(Path(folder) / "log", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            gateway.wait_until(lambda: listens(port), "MongoDB listens", 60)
            yield f"mongodb://127.0.0.1:{port}/?replicaSet=secantus"
        finally:
            process.kill()
            process.wait()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


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
    parser.add_argument("clients", nargs="*", metavar="CLIENT", default=CLIENTS)
    parser.add_argument("--binary", default=ROOT / "target/release/vestibule")
    parser.add_argument("--mongodb", metavar="URI", help="`own` starts one")
    arguments = parser.parse_args()
    gateway.end_on_sigterm()
    with own_mongodb() if arguments.mongodb == "own" else contextlib.nullcontext(arguments.mongodb) as mongodb:
        for name in arguments.clients:
            play(name, arguments.binary, mongodb)


if __name__ == "__main__":
    main()
