"""Autobahn's WebSocket cases against an echo server, directly and through the gateway: no case may end worse behind it.

Needs `websockets` from PyPI, and `wstest` (PyPI autobahntestsuite, which wants Python 2.7) on the PATH. Its own echo server won't
do: it refuses a Host that names another port. `autobahn.py 1.* 5.*` runs some of the cases.
"""

import asyncio
import json
import logging
import pathlib
import subprocess
import sys
import tempfile
import threading

import websockets

import harness

# Best first; what Autobahn calls informational says nothing against the one who is asked.
ORDER = ["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT", "FAILED"]


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def serve(port, started):
    async with websockets.serve(echo, "127.0.0.1", port, max_size=None, ping_interval=None):
        started.set()
        await asyncio.Future()


def main():
    # What the cases do wrong on purpose is no news.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        port, started = harness.free_port(), threading.Event()
        threading.Thread(target=lambda: asyncio.run(serve(port, started)), daemon=True).start()
        started.wait(30)
        with harness.Gateway(f"http://127.0.0.1:{port}") as gateway:
            servers = [{"agent": "direct", "url": f"ws://127.0.0.1:{port}"},
                       {"agent": "gateway", "url": f"ws://127.0.0.1:{gateway.port}"}]
            specification = {"outdir": str(folder / "report"), "servers": servers, "cases": sys.argv[1:] or ["*"],
                             "exclude-cases": [], "exclude-agent-cases": {}}
            (folder / "cases.json").write_text(json.dumps(specification))
            subprocess.run(["wstest", "-m", "fuzzingclient", "-s", folder / "cases.json"], check=True, stdout=subprocess.DEVNULL)
        report = json.loads((folder / "report/index.json").read_text())
    worse = 0
    for case, direct in sorted(report["direct"].items()):
        through = report["gateway"].get(case, {"behavior": "FAILED", "behaviorClose": "FAILED"})
        for aspect in ("behavior", "behaviorClose"):
            if ORDER.index(through[aspect]) > ORDER.index(direct[aspect]):
                worse += 1
                print(f"{case} {aspect}: {through[aspect]} behind the gateway, {direct[aspect]} without")
    print(f"{len(report['direct'])} cases, {worse} worse behind the gateway")
    return 1 if worse or not report["direct"] else 0


if __name__ == "__main__":
    sys.exit(main())
