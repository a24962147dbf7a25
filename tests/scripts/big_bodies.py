#!/usr/bin/env python3
"""Sends big bodies through a protected route, both ways, and sees that the gateway streams them in little memory.

    tests/scripts/big_bodies.py [SIZE_MIB]        default 1024

Over TLS with HTTP/1.1 and HTTP/2: an upload, a download, and a sixteenth of each with the far end slow, which is where a
proxy that gathers would grow. The SHA-256 of every body must be the same on both sides, and the gateway's resident memory
may at no time be more than 64 MiB above what it was when idle. Exits 1 otherwise. Needs curl with HTTP/2 and Python.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from gateway import RELEASE_BINARY, Gateway, end_on_sigterm, register

MIB = 1 << 20
ALLOWED_KIB = 64 * 1024
# A slow reader takes this much a second.
SLOW_MIB = 24
SLOW_SHARE = 16

CONFIG = """
[[route]]
path = "/"
access = "protected"
upstream = "http://127.0.0.1:{port}"
"""

NOISE = hashlib.shake_256(b"vestibule").digest(MIB - 8)


def blocks(mebibytes):
    """Yields a body in pieces of 1 MiB, each of which is different."""
    for number in range(mebibytes):
        yield number.to_bytes(8, "big") + NOISE


def digest_of(pieces):
    """Returns the SHA-256 and the length of what `pieces` are together."""
    digest, length = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        length += len(piece)
    return digest.hexdigest(), length


class App(BaseHTTPRequestHandler):
    """Answers a GET with as many MiB as `mib` says, and a POST with the hash and length of its body."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        mebibytes = int(parse_qs(urlsplit(self.path).query)["mib"][0])
        self.send_response(200)
        self.send_header("Content-Length", str(mebibytes * MIB))
        self.end_headers()
        for block in blocks(mebibytes):
            self.wfile.write(block)

    def do_POST(self):
        is_slow = "slow" in self.path
        digest, length = digest_of(slowly(self.pieces()) if is_slow else self.pieces())
        answer = json.dumps({"sha256": digest, "length": length}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def pieces(self):
        """Yields the request's body, which comes with a length or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield from self.exactly(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self.exactly(size)
            self.rfile.readline()
        self.rfile.readline()

    def exactly(self, length):
        while length:
            piece = self.rfile.read(min(length, 256 * 1024))
            if not piece:
                raise ConnectionError("the body ended early")
            length -= len(piece)
            yield piece

    def log_message(self, *_):
        pass


def slowly(pieces):
    for piece in pieces:
        time.sleep(len(piece) / (SLOW_MIB * MIB))
        yield piece


class Memory:
    """The most resident memory of a gateway between `with` and its end, by the kernel's own mark and by looking often."""

    def __init__(self, gateway):
        self.gateway, self.peak, self.ended = gateway, 0, threading.Event()

    def __enter__(self):
        self.gateway.reset_peak_memory()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()
        return self

    def watch(self):
        while not self.ended.wait(0.02):
            self.peak = max(self.peak, self.gateway.memory("VmRSS"))

    def __exit__(self, *_):
        self.ended.set()
        self.watcher.join()
        self.peak = max(self.peak, self.gateway.memory("VmHWM"))


def curl(options, protocol, token, url):
    command = ["curl", "--silent", "--show-error", "--fail", "--insecure", f"--{protocol}", *options]
    command += ["--header", f"Authorization: Bearer {token}", url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def download(gateway, protocol, token, mebibytes, is_slow):
    """Returns hash and length of what came down."""
    options = ["--limit-rate", f"{SLOW_MIB}M"] if is_slow else []
    client = curl(options, protocol, token, gateway.url(f"/download?mib={mebibytes}"))
    client.stdin.close()
    received = digest_of(iter(lambda: client.stdout.read(MIB), b""))
    return received if client.wait() == 0 else ("curl failed", 0)


def upload(gateway, protocol, token, mebibytes, is_slow):
    """Returns hash and length of what the upstream says it got."""
    path = "/slow" if is_slow else "/upload"
    options = ["--upload-file", "-", "--request", "POST"]
    client = curl(options, protocol, token, gateway.url(path))
    try:
        for block in blocks(mebibytes):
            client.stdin.write(block)
        client.stdin.close()
    except BrokenPipeError:
        pass
    client.stdin = None
    answer, _ = client.communicate()
    if client.returncode != 0:
        return "curl failed", 0
    answer = json.loads(answer)
    return answer["sha256"], answer["length"]


def cases(mebibytes):
    for protocol in ("http1.1", "http2"):
        for direction in (upload, download):
            yield protocol, direction, mebibytes, False
            yield protocol, direction, max(mebibytes // SLOW_SHARE, 1), True


def measure(gateway, token, idle, case):
    """Runs one case, prints its line, and returns whether it is as it should be."""
    protocol, direction, mebibytes, is_slow = case
    started = time.monotonic()
    with Memory(gateway) as memory:
        received = direction(gateway, protocol, token, mebibytes, is_slow)
    seconds = time.monotonic() - started
    above = memory.peak - idle
    same = received == digest_of(blocks(mebibytes))
    is_good = same and above <= ALLOWED_KIB
    name = direction.__name__ + (", slow end" if is_slow else "")
    print(
        f"{protocol:<8} {name:<19} {mebibytes:>6} {mebibytes / seconds:>8.0f} {memory.peak / 1024:>9.1f} {above / 1024:>11.1f}"
        f"  {'same' if same else 'DIFFERENT'}{'' if is_good else '  FAILED'}",
        flush=True,
    )
    return is_good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mebibytes", nargs="?", type=int, default=1024)
    parser.add_argument("--binary", type=Path, default=RELEASE_BINARY)
    options = parser.parse_args()
    end_on_sigterm()
    app = ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="big-bodies-") as folder:
        gateway = Gateway(options.binary, folder, CONFIG.format(port=app.server_port), tls="self-signed")
        gateway.start()
        try:
            gateway.wait_until_ready()
            token = register(gateway.connect(), "big@example.com")["access_token"]
            for protocol in ("http1.1", "http2"):
                download(gateway, protocol, token, 0, False)
            idle = gateway.memory("VmRSS")
            print(f"{options.binary}; resident when idle: {idle / 1024:.1f} MiB\n")
            print("protocol case                   MiB    MiB/s  peak MiB  above idle  SHA-256")
            results = [measure(gateway, token, idle, case) for case in cases(options.mebibytes)]
        finally:
            gateway.kill()
    print(f"\n{results.count(True)} of {len(results)} as they should be; allowed is {ALLOWED_KIB // 1024} MiB above idle")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
