"""Instructions that the whole program spends on a request; for instructions.py.

Needs `hyperframe` and `hpack` from PyPI.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import hpack
from hyperframe.frame import DataFrame, Frame, HeadersFrame, SettingsFrame

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))

import harness  # noqa: E402

FEW, MANY = 200, 1200
CASES = ["HTTP/1.1 GET", "HTTP/2 GET", "HTTP/2 POST, 16 KiB"]
# What a browser sends.
FIELDS = [
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("cache-control", "no-cache"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "none"),
    ("cookie", "theme=dark; session=0123456789abcdef0123456789abcdef; consent=yes"),
]


def http1(stream, count, method):
    lines = "".join(f"{name}: {value}\r\n" for name, value in FIELDS)
    request = f"GET /page?a=b HTTP/1.1\r\nhost: {harness.HOST}\r\n{lines}\r\n".encode()
    if method == "POST":
        chunks = (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 4 + b"0\r\n\r\n"
        request = request.replace(b"GET", b"POST", 1).replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n") + chunks
    for _ in range(count):
        stream.sendall(request)
        answer = b""
        while not answer.endswith(harness.BODY):
            answer += stream.recv(65536)


def http2(stream, count, method):
    stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 1 << 30}).serialize())
    encoder, rest = hpack.Encoder(), b""
    head = [(":method", method), (":scheme", "http"), (":authority", harness.HOST), (":path", "/page?a=b"), *FIELDS]
    for number in range(count):
        stream_id, block = 2 * number + 1, encoder.encode(head)
        if method == "POST":
            frames = [HeadersFrame(stream_id, block, flags=["END_HEADERS"]), DataFrame(stream_id, b"x" * 16384, flags=["END_STREAM"])]
        else:
            frames = [HeadersFrame(stream_id, block, flags=["END_HEADERS", "END_STREAM"])]
        stream.sendall(b"".join(frame.serialize() for frame in frames))
        answered = False
        while not answered:
            rest += stream.recv(65536)
            while len(rest) >= 9:
                frame, length = Frame.parse_frame_header(memoryview(rest[:9]))
                if len(rest) < 9 + length:
                    break
                rest = rest[9 + length:]
                if type(frame).__name__ == "GoAwayFrame":
                    raise OSError("the gateway ended the connection")
                answered |= frame.stream_id == stream_id and "END_STREAM" in frame.flags


def counted(case, count, url, folder):
    """Returns the instructions of a process that answered `count` requests."""
    output = folder / "callgrind.out"
    with harness.Gateway(url) as gateway, contextlib.closing(gateway.connect(timeout=60)) as stream:
        (http1 if case.startswith("HTTP/1") else http2)(stream, count, "POST" if "POST" in case else "GET")
    said = subprocess.run(["callgrind_annotate", output], check=True, capture_output=True, text=True).stdout
    return next(int(line.split()[0].replace(",", "")) for line in said.splitlines() if "PROGRAM TOTALS" in line)


def figures(binary):
    """Yields the name of each request with its instructions."""
    upstream = harness.Upstream()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        wrapper = folder / "counted"
        callgrind = f"valgrind -q --tool=callgrind --callgrind-out-file={folder}/callgrind.out"
        wrapper.write_text(f'#!/bin/sh\nexec {callgrind} "{binary.resolve()}" "$@"\n')
        os.chmod(wrapper, 0o755)
        harness.BINARY = wrapper
        for case in CASES:
            few, many = (counted(case, count, upstream.url, folder) for count in (FEW, MANY))
            yield case, (many - few) / (MANY - FEW)
