"""What a connection costs in memory: opens many, brings each to the same state, and looks at what the proxy's processes hold."""

import base64
import os
import resource
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway import memory_of
from generators import unverified

# What stands there once is not the price of one more connection, so the first ones are not counted.
FIRST = 200


@dataclass(frozen=True)
class State:
    """What each of `count` connections is brought to, by `exchange`; calling it measures that of one case."""

    exchange: Callable
    protocol: str = "http/1.1"
    count: int = 2000
    # How much the client's socket takes in unread; what the system gives without.
    receive_buffer: int = 0

    def __call__(self, case, _load, _seconds, _folder):
        return {"kib": kib_per_connection(case, self)}


def kib_per_connection(case, state):
    """Returns the KiB of resident memory that each further connection takes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    context = unverified() if case.origin.startswith("https") else None
    if context:
        context.set_alpn_protocols([state.protocol])
    streams = []
    try:
        for number in range(FIRST + state.count):
            if number == FIRST:
                before = settled_memory(case.family)
            streams.append(connected(case, context, state.receive_buffer))
            state.exchange(streams[-1], case)
        return (settled_memory(case.family) - before) / state.count
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


def connected(case, context, receive_buffer):
    stream = socket.socket()
    stream.settimeout(30)
    if receive_buffer:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    stream.connect(("127.0.0.1", case.port))
    return context.wrap_socket(stream) if context else stream


def send_request(stream, case, name, more=""):
    bearer = f"Authorization: Bearer {case.token}\r\n" if case.token else ""
    stream.sendall(f"GET {case.path(name)} HTTP/1.1\r\nHost: 127.0.0.1\r\n{bearer}{more}\r\n".encode())


def read_until(stream, case, status, length):
    """Reads the head, which must have that status, and at least `length` bytes behind it."""
    answer = b""
    while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < length:
        answer += received(stream, case)
    if not answer.startswith(f"HTTP/1.1 {status}".encode()):
        raise AssertionError(f"{case.name}: {answer[:100]!r}")


def ask_once(stream, case):
    send_request(stream, case, "1k")
    read_until(stream, case, 200, 1024)


def begin_answer(stream, case):
    """Leaves the connection in the middle of an answer that goes on, a byte a second."""
    send_request(stream, case, "slow")
    read_until(stream, case, 200, 1)


def open_websocket(stream, case):
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    send_request(stream, case, "socket", upgrade)
    read_until(stream, case, 101, 0)


def leave_unread(stream, case):
    """Asks for more than all buffers on the way take, and reads none of it."""
    send_request(stream, case, "big")


def ask_once_h2(stream, case):
    """One request in the fewest frames: preface, SETTINGS, HEADERS without Huffman codes (RFC 7541, section 6.2.2)."""
    fields = b"\x82\x87" + literal(4, case.path("1k")) + literal(1, "127.0.0.1")
    if case.token:
        fields += literal(23, f"Bearer {case.token}")
    stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 5, 1, fields))
    rest = b""
    while True:
        rest += received(stream, case)
        while len(rest) >= 9 and len(rest) >= 9 + (length := int.from_bytes(rest[:3], "big")):
            kind, flags, payload = rest[3], rest[4], rest[9 : 9 + length]
            rest = rest[9 + length :]
            # `:status: 200` is one byte (RFC 7541, appendix A), perhaps behind a new size of the table.
            if kind == 1 and b"\x88" not in payload[:4]:
                raise AssertionError(f"{case.name}: {payload!r}")
            if kind in (0, 1) and flags & 1:
                stream.sendall(frame(4, 1, 0, b""))
                return


def received(stream, case):
    if not (piece := stream.recv(65536)):
        raise AssertionError(f"{case.name} closed the connection")
    return piece


def literal(name_index, value):
    return integer(name_index, 4) + integer(len(value), 7) + value.encode()


def integer(number, bits):
    """Returns it with a prefix of so many bits (RFC 7541, section 5.1)."""
    most = (1 << bits) - 1
    if number < most:
        return bytes([number])
    number, encoded = number - most, [most]
    while number >= 128:
        encoded.append(number % 128 + 128)
        number //= 128
    return bytes([*encoded, number])


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + struct.pack(">BBL", kind, flags, stream) + payload


IDLE = State(ask_once)
IDLE_H2 = State(ask_once_h2, protocol="h2")
ACTIVE = State(begin_answer, count=1000)
WEBSOCKET = State(open_websocket, count=1000)
# Each of these holds kernel memory as well, at every hop, so there are fewer.
STALLED = State(leave_unread, count=300, receive_buffer=4096)
