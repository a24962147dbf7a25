"""Sends the raw HTTP/1.1 of http1_cases.py to the gateway, over TLS and in the clear, in front of an app that records bytes.

Prints each case that comes out wrong, and ends with 1 if one does. `http1_corpus.py WORD` runs the cases that WORD is part of.
"""

import contextlib
import pathlib
import re
import socket
import ssl
import sys
import tempfile
import time

import harness
from http1_cases import CASES, CLOSE

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Answers:
    """Reads responses one after the other."""

    def __init__(self, stream, sent):
        self.stream, self.buffer = stream, b""
        # Answers to HEAD have no body whatever their length says; which request is which is told by the order.
        self.heads = [line.startswith(b"HEAD ") for line in re.findall(rb"^(?:[!-~]+) \S+ HTTP/1\.[01]", sent, re.M)]

    def more(self):
        try:
            data = self.stream.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            return False
        self.buffer += data
        return bool(data)

    def next(self):
        """Returns (status, head), or None when the connection ends instead. An interim answer is passed over."""
        while True:
            while b"\r\n\r\n" not in self.buffer:
                if not self.more():
                    return None
            head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            status = int(head.split(b" ", 2)[1])
            if status != 100:
                break
        is_head = bool(self.heads) and self.heads.pop(0)
        if is_head or status in (204, 304):
            return status, head
        if length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
            while len(self.buffer) < int(length[1]):
                if not self.more():
                    return None
            self.buffer = self.buffer[int(length[1]):]
        elif re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
            while b"0\r\n\r\n" not in self.buffer:
                if not self.more():
                    return None
            self.buffer = self.buffer.split(b"0\r\n\r\n", 1)[1]
        else:
            while self.more():
                pass
            self.buffer = b""
        return status, head


def not_canonical(head, body):
    """Returns what an app could misread in a request that reached it."""
    lines = head[:-4].split(b"\r\n")
    if b"\r" in b"".join(lines) or b"\n" in b"".join(lines) or b"\0" in head:
        return "a stray CR, LF or NUL"
    if not re.fullmatch(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ /[!-~]* HTTP/1\.1", lines[0]):
        return f"the request line {lines[0]!r}"
    names = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name) or value.strip(b" \t") != value[1:] or re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
            return f"the field {line!r}"
        names.append(name.lower())
    for once in (b"host", b"content-length", b"transfer-encoding", b"x-forwarded-for", b"x-request-id"):
        if names.count(once) > 1:
            return f"{once!r} more than once"
    if b"host" not in names or (b"content-length" in names and b"transfer-encoding" in names):
        return "no Host, or two framings"
    return None


def judge(case, gateway, app):
    """Returns what is wrong, or None."""
    app.take()
    with contextlib.closing(gateway.connect()) as stream:
        answers, statuses, ended = Answers(stream, case.sent), [], False
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            stream.sendall(case.sent)
            if case.half_close:
                # TLS sockets of Python can't half-close: the alert and the FIN go out together.
                (stream.unwrap if gateway.is_tls else lambda: stream.shutdown(socket.SHUT_WR))()
        try:
            while len(statuses) < case.answers + 1:
                if len(statuses) == case.answers and not case.ends:
                    stream.settimeout(0.02)
                answer = answers.next() if not (gateway.is_tls and case.half_close) else None
                if answer is None:
                    ended = True
                    break
                statuses.append(answer[0])
                if case.ends and re.search(rb"(?i)\r\nconnection: close", answer[1]):
                    with contextlib.suppress(OSError):
                        stream.shutdown(socket.SHUT_WR)
        except (TimeoutError, socket.timeout):
            pass
    seen = app.take()
    first = statuses[0] if statuses else CLOSE
    if first not in case.allowed and not (gateway.is_tls and case.half_close):
        return f"answered {first}, allowed {case.allowed}"
    if len(statuses) > case.answers:
        return f"{len(statuses)} answers {statuses}, at most {case.answers} wanted"
    if first != CLOSE and len(statuses) < case.answers:
        return f"{len(statuses)} answers {statuses}, {case.answers} wanted"
    if case.ends and not ended:
        return f"the connection stays open after {statuses}"
    if not case.reaches and seen:
        return f"it reached the app: {seen[0][0]!r}"
    if case.reaches and 200 in case.allowed and not seen:
        return "it did not reach the app"
    for head, body in seen:
        if wrong := not_canonical(head, body):
            return f"what reached the app is not canonical: {wrong}"
    return case.look(seen) if case.look else None


def main():
    wanted = [case for case in CASES if len(sys.argv) < 2 or sys.argv[1] in case.name]
    app, failed = harness.Upstream(), 0
    with tempfile.TemporaryDirectory() as folder:
        for tls in (None, harness.certificates(pathlib.Path(folder))):
            kind = "over TLS" if tls else "in the clear"
            with harness.Gateway(app.url, tls=tls) as gateway:
                for case in wanted:
                    started = time.monotonic()
                    wrong = judge(case, gateway, app)
                    if wrong:
                        # The app may only now have heard of what the case before broke off: what is wrong here is wrong again.
                        wrong = judge(case, gateway, app)
                    took = time.monotonic() - started
                    if not gateway.is_alive():
                        wrong = "the gateway ended"
                    if wrong is None and took > 4:
                        wrong = f"took {took:.1f} s"
                    if wrong:
                        failed += 1
                        print(f"FAILED {kind}: {case.name}: {wrong}")
                if "panicked" in gateway.said():
                    failed += 1
                    print("FAILED: a panic in the log")
    count = 2 * len(wanted)
    print(f"HTTP/1.1: {count - failed} passed, {failed} failed, {len(wanted)} cases over TLS and in the clear")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
