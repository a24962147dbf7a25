"""What an idle connection costs in memory: opens many, each of which has asked once, and looks at what the proxy's processes hold."""

import resource
import socket
import struct
import time

from gateway import memory_of
from generators import unverified

COUNT = 2000
# What stands there once is not the price of one more connection, so the first ones are not counted.
FIRST = 200


def h1(case, _load, _seconds, _folder):
    """Returns the figures of HTTP/1.1, in cleartext or over TLS as the case has it."""
    return {"kib": kib_per_connection(case, ["http/1.1"], exchange_h1)}


def h2(case, _load, _seconds, _folder):
    return {"kib": kib_per_connection(case, ["h2"], exchange_h2)}


def kib_per_connection(case, protocols, exchange):
    """Returns the KiB of resident memory that each further idle connection takes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    context = unverified() if case.origin.startswith("https") else None
    if context:
        context.set_alpn_protocols(protocols)
    streams = []
    try:
        for number in range(FIRST + COUNT):
            if number == FIRST:
                before = settled_memory(case.family)
            streams.append(connected(case, context))
            exchange(streams[-1], case)
        return (settled_memory(case.family) - before) / COUNT
    finally:
        for stream in streams:
            stream.close()


def settled_memory(family):
    """Returns the KiB once they have stopped changing, or after three seconds."""
    held = None
    for _ in range(6):
        time.sleep(0.5)
        held, last = sum(memory_of(pid, "VmRSS") for pid in family), held
        if held == last:
            break
    return held


def connected(case, context):
    stream = socket.create_connection(("127.0.0.1", case.port), timeout=30)
    return context.wrap_socket(stream) if context else stream


def exchange_h1(stream, case):
    bearer = f"Authorization: Bearer {case.token}\r\n" if case.token else ""
    stream.sendall(f"GET {case.path('1k')} HTTP/1.1\r\nHost: 127.0.0.1\r\n{bearer}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < 1024:
        answer += received(stream, case)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise AssertionError(f"{case.name}: {answer[:100]!r}")


def exchange_h2(stream, case):
    """One request in the fewest frames: preface, SETTINGS, HEADERS without Huffman codes (RFC 7541, section 6.2.2)."""
    fields = b"\x82\x87" + literal(4, case.path("1k")) + literal(1, "127.0.0.1")
    stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, fields))
    rest = b""
    while True:
        rest += received(stream, case)
        while len(rest) >= 9 and len(rest) >= 9 + (length := int.from_bytes(rest[:3], "big")):
            kind, flags = rest[3], rest[4]
            rest = rest[9 + length :]
            if kind in (0, 1) and flags & 1:
                stream.sendall(frame(4, 1, 0, b""))
                return


def received(stream, case):
    if not (piece := stream.recv(65536)):
        raise AssertionError(f"{case.name} closed the connection")
    return piece


def literal(name_index, value):
    return bytes([name_index, len(value)]) + value.encode()


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + struct.pack(">BBL", kind, flags, stream) + payload
