"""Sends HTTP/2 header lists and bodies, most of them malformed, to the gateway in front of an app that records bytes.

Needs `hyperframe` and `hpack` from PyPI. Prints each case that comes out wrong, and ends with 1 if one does.
`http2_corpus.py WORD` runs the cases that WORD is part of.
"""

import contextlib
import pathlib
import struct
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Callable, Optional

import hpack
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame,
                              SettingsFrame, WindowUpdateFrame)

import harness
from http1_corpus import not_canonical

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR = 1, 3, 5, 6
REFUSED, CANCEL, COMPRESSION_ERROR, CALM = 7, 8, 9, 11


@dataclass
class Case:
    name: str
    frames: Callable
    # Statuses that may come, or ("reset", code …) for a stream or connection error.
    statuses: tuple
    codes: tuple = ()
    reaches: bool = True
    look: Optional[Callable] = None
    # Whether `codes` must come, beside an answer that may.
    must_reset: bool = False


CASES = []
BASE = [(":method", "GET"), (":scheme", "SCHEME"), (":authority", "app.test"), (":path", "/x")]


def request(*fields, base=None, data=None, trailers=None, length=4096):
    """Returns what makes the frames of a request; the header block is cut in pieces of `length`."""
    def frames(scheme):
        lists = list(BASE if base is None else base) + list(fields)
        block = hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(n, scheme if v == "SCHEME" else v) for n, v in lists])
        pieces = [block[at:at + length] for at in range(0, len(block), length)] or [b""]
        first = HeadersFrame(1, pieces[0])
        made = [first] + [ContinuationFrame(1, piece) for piece in pieces[1:]]
        made[-1].flags.add("END_HEADERS")
        if data is None and trailers is None:
            first.flags.add("END_STREAM")
        for number, piece in enumerate(data or []):
            made.append(DataFrame(1, piece))
        if trailers is not None:
            made.append(HeadersFrame(1, hpack.Encoder().encode(trailers), flags=["END_HEADERS", "END_STREAM"]))
        elif data is not None:
            made[-1].flags.add("END_STREAM")
        return b"".join(frame.serialize() for frame in made)
    return frames


def malformed(name, frames, **more):
    """RFC 9113 8.1.1: a stream error of type PROTOCOL_ERROR, which an answer may precede; never anything for the app."""
    CASES.append(Case(name, frames, (400, 431, 501), (PROTOCOL_ERROR,), reaches=False, must_reset=True, **more))


def refuse(name, frames, *statuses, **more):
    CASES.append(Case(name, frames, statuses or (400,), (PROTOCOL_ERROR, REFUSED, CANCEL, CALM), reaches=False, **more))


def broken(name, frames, **more):
    def look(seen):
        return "a whole request reached the app" if any(body is not None for _, body in seen) else None
    CASES.append(Case(name, frames, (400,), (PROTOCOL_ERROR,), look=look, **more))


def serve(name, frames, **more):
    CASES.append(Case(name, frames, (200,), **more))


def without(*names):
    return [field for field in BASE if field[0] not in names]


def with_(name, value):
    return [(n, value if n == name else v) for n, v in BASE]


def sees(*parts, lacks=(), body=None):
    def look(seen):
        head, came = seen[-1]
        wrong = [f"{part!r} is not in {head!r}" for part in parts if part.lower() not in head.lower()]
        wrong += [f"{part!r} is in {head!r}" for part in lacks if part.lower() in head.lower()]
        if body is not None and body not in came:
            wrong.append(f"the body is {came!r}")
        return wrong[0] if wrong else None
    return look


def one_path(seen):
    line = seen[-1][0].split(b"\r\n")[0] if seen else b"GET / HTTP/1.1"
    path = line.split(b" ")[1]
    odd = any(part in path for part in (b"//", b"/./", b"/../", b"\\", b"%2E", b"%2e", b"%2F", b"%5C")) or path.endswith((b"/.", b"/.."))
    return f"the app was asked for {path!r}" if odd else None


# Connection-specific fields (8.2.2).
for name, value in [("connection", "close"), ("connection", "keep-alive"), ("connection", "x-user-id"), ("keep-alive", "5"), ("proxy-connection", "x"),
                    ("transfer-encoding", "chunked"), ("upgrade", "h2c"), ("te", "gzip"), ("te", "trailers, gzip"), ("te", "chunked")]:
    malformed(f"{name}: {value}", request((name, value)))
serve("te: trailers", request(("te", "trailers")))
# Names and values (8.2, 8.2.1).
for name in ["X", "xY", "Content-Length", "", "x y", "x\ty", "x:y", ":", "x\0", "x\r", "x\n", "x\x7f", "x\x80", "x\xff", "x(", "x\"", "x@", "x/"]:
    malformed(f"field name {name!r}", request((name.encode("latin-1"), b"a")))
for value in ["a\0b", "a\rb", "a\nb", "a\r\nx-user-id: admin", "\r\n\r\n", " a", "a ", "\ta", "a\t", "a\x01b", "a\x7fb"]:
    malformed(f"field value {value!r}", request((b"x", value.encode("latin-1"))))
serve("empty field value", request(("x", "")))
serve("obs-text in a field value", request((b"x", b"caf\xe9")))
serve("tab inside a field value", request(("x", "a\tb")))
serve("cookie crumbs", request(("cookie", "a=b"), ("cookie", "c=d")), look=sees(b"cookie: a=b; c=d"))
# Pseudo-header fields (8.3).
for name in [":method", ":scheme", ":path"]:
    malformed(f"no {name}", request(base=without(name)))
    malformed(f"{name} twice", request((name, dict(BASE)[name])))
    (refuse if name == ":scheme" else malformed)(f"empty {name}", request(base=with_(name, "")))
malformed(":authority twice", request((":authority", "app.test")))
malformed("a pseudo-header behind a field", request((":path", "/x"), base=without(":path") + [("x", "a")]))
malformed(":authority behind a field", request((":authority", "app.test"), base=without(":authority") + [("x", "a")]))
malformed("an unknown pseudo-header", request(base=BASE + [(":x", "a")]))
malformed(":status in a request", request(base=BASE + [(":status", "200")]))
malformed(":protocol without CONNECT", request(base=BASE + [(":protocol", "websocket")]))
malformed("a pseudo-header in capitals", request(base=without(":path") + [(":Path", "/x")]))
for method in ["G T", "GET\0", "G\r\nT", "GET /x HTTP/1.1\r\nhost: evil\r\n\r\n", "G:T", "G\xe9"]:
    malformed(f":method {method!r}", request(base=with_(":method", method.encode("latin-1"))))
for path in ["x", "../x", "?x", "*", "/a b", "/x HTTP/1.1\r\nhost: evil\r\n\r\nGET /", "/\0", "/\x7f", "/\t", "http://app.test/x"]:
    refuse(f":path {path!r}", request(base=with_(":path", path)))
for path in ["/%00", "/%2e%2e/x", "/a\\b", "/..%2fx", "/%zz", "/%", "/%252e%252e/", "/..;/x", "/a%5cb", "/%c0%ae"]:
    refuse(f":path {path!r}", request(base=with_(":path", path)))
for path in ["/x#frag", "/#", "/x#", "/x?a=b#c", "/public#/../admin", "/xy/#@", "#", "/~z#z"]:
    CASES.append(Case(f":path with a fragment {path!r}", request(base=with_(":path", path)), (400,), (), reaches=False))
serve("query with a number sign that is escaped", request(base=with_(":path", "/c?%23")), look=sees(b"GET /c?%23 HTTP/1.1"))
for scheme in ["ftp", "javascript", "http\0", "h t", "http://app.test/?", "://"]:
    refuse(f":scheme {scheme!r}", request(base=with_(":scheme", scheme)))
for authority in ["", "user@app.test", "u:p@app.test", "app.test/x", "app.test?x", "app.test#x", "app test", "app.test:port", "app.test:99999", "a..b", "[::1",
                  "app.test\\", "app.test\0", "app.test\r\nx: y", "app.test,evil.test", "*", "%61pp.test"]:
    refuse(f":authority {authority!r}", request(base=with_(":authority", authority)))
refuse("neither :authority nor Host", request(base=without(":authority")))
serve("Host instead of :authority", request(("host", "app.test"), base=without(":authority")), look=sees(b"\r\nhost: app.test\r\n"))
serve("Host that agrees with :authority", request(("host", "app.test")))
malformed("Host that disagrees with :authority", request(("host", "evil.test")))
malformed("Host with another port than :authority", request(("host", "app.test:8443")))
malformed("two Hosts", request(("host", "app.test"), ("host", "app.test")))
malformed("two Hosts and no :authority", request(("host", "app.test"), ("host", "evil.test"), base=without(":authority")))
malformed("empty Host beside :authority", request(("host", "")))
serve("the other scheme", request(base=with_(":scheme", "http")))
for method in ["get", "Post", "connect", "tRACE"]:
    refuse(f":method {method!r} differs from a common one in case alone", request(base=with_(":method", method)), 501)
refuse("a method of 200 letters", request(base=with_(":method", "A" * 200)), 501)
malformed("empty :method", request(base=with_(":method", "")))
for path in ["/\u00e9", "/\u202e", "/\xff\xfe", "/<x>", "/x`", "/x|y", "//", "/.", "/a/../..", "/a//b", "\\x", "/x\\..\\y", "/%2f", "/%5c", "/%2e", "/a/%2e%2e"]:
    CASES.append(Case(f":path {path!r}, refused or in canonical form", request(base=with_(":path", path.encode("utf-8" if "\xff" not in path else "latin-1"))),
                      (200, 400), (PROTOCOL_ERROR, REFUSED, CANCEL), look=one_path))
for path in ["/x?\u00e9", "/x? y", "/x?\0", "/x?\r\nx: y", "/x?a\x7f"]:
    refuse(f"query {path!r}", request(base=with_(":path", path.encode("utf-8"))))
serve("dot segments are taken out", request(base=with_(":path", "/a/./b/../c?d=/../")), look=sees(b"GET /a/c?d=/../ HTTP/1.1"))
serve(":authority in capitals with a port and a final dot", request(base=with_(":authority", "APP.test.:8443")), look=sees(b"\r\nhost: app.test:8443\r\n"))
serve(":authority is an IPv6 address", request(base=with_(":authority", "[::1]:443")), look=sees(b"\r\nhost: [::1]:443\r\n"))
serve("Host that agrees in other letters", request(("host", "APP.TEST")))
for host in ["", "user@app.test", "app.test/x", "app.test,evil.test", "app test", "app.test:port", "[::1", "app.test#x"]:
    malformed(f"Host {host!r} without :authority", request(("host", host), base=without(":authority")))
malformed("Host that agrees but for user info", request(("host", "user@app.test")))
for value in ["200-ok", "100-continue, more", ""]:
    refuse(f"Expect: {value!r}", request(("expect", value), base=with_(":method", "POST"), data=[b"abc"]), 417)
serve("Expect: 100-continue", request(("expect", "100-continue"), base=with_(":method", "POST"), data=[b"abc"]), look=sees(body=b"abc"))
malformed("two Content-Types", request(("content-type", "text/plain"), ("content-type", "text/html"), base=with_(":method", "POST"), data=[b"abc"]))
serve("HTTP2-Settings and what proxies say to proxies go no further",
      request(("http2-settings", "AAMAAABk"), ("proxy-authorization", "Basic eDp5"), ("proxy-authenticate", "x"), ("trailer", "x-a")),
      look=sees(lacks=(b"http2-settings", b"proxy-auth")))
# CONNECT (8.5, RFC 8441).
refuse("CONNECT", request(base=[(":method", "CONNECT"), (":authority", "app.test:443")]), 405, 501)
malformed("CONNECT without :authority", request(base=[(":method", "CONNECT")]))
malformed("CONNECT with :path", request(base=[(":method", "CONNECT"), (":authority", "app.test:443"), (":path", "/")]))
malformed("CONNECT with :scheme", request(base=[(":method", "CONNECT"), (":authority", "app.test:443"), (":scheme", "http")]))
CONNECT = [(":method", "CONNECT"), (":scheme", "SCHEME"), (":authority", "app.test"), (":path", "/x")]
malformed("extended CONNECT without :path", request(base=[CONNECT[0], (":protocol", "websocket"), CONNECT[1], CONNECT[2]]))
malformed("extended CONNECT without :scheme", request(base=[CONNECT[0], (":protocol", "websocket"), CONNECT[2], CONNECT[3]]))
refuse("extended CONNECT of an unknown protocol", request(base=CONNECT + [(":protocol", "connect-udp")]), 400, 501)
CASES.append(Case("extended CONNECT that the app takes for a GET is no tunnel", request(base=CONNECT + [(":protocol", "websocket")]), (502,),
                  look=sees(b"GET /x HTTP/1.1", b"\r\nupgrade: websocket\r\n", b"\r\nsec-websocket-key: ", b"\r\nsec-websocket-version: 13\r\n")))
refuse("extended CONNECT to a dotted path", request(base=with_(":method", "CONNECT")[:3] + [(":path", "/%2e%2e/x"), (":protocol", "websocket")]))
malformed("extended CONNECT to no path", request(base=CONNECT[:3] + [(":path", "*"), (":protocol", "websocket")]))
malformed(":protocol twice", request(base=CONNECT + [(":protocol", "websocket"), (":protocol", "websocket")]))
refuse("extended CONNECT of an empty protocol", request(base=CONNECT + [(":protocol", "")]), 501)
refuse("TRACE", request(base=with_(":method", "TRACE")), 405, 501)
refuse("OPTIONS *", request(base=[(":method", "OPTIONS"), (":scheme", "SCHEME"), (":authority", "app.test"), (":path", "*")]), 204)
serve("an odd method", request(base=with_(":method", "M-SEARCH")), look=sees(b"M-SEARCH /x HTTP/1.1"))
# Bodies (8.1.1): Content-Length must be the sum of DATA.
POST = with_(":method", "POST")
serve("Content-Length and DATA", request(("content-length", "3"), base=POST, data=[b"abc"]), look=sees(b"content-length: 3", body=b"abc"))
serve("DATA without Content-Length", request(base=POST, data=[b"ab", b"c"]), look=sees(b"transfer-encoding: chunked", lacks=(b"content-length",)))
serve("empty DATA frames", request(base=POST, data=[b"", b"abc", b""]))
serve("GET with DATA", request(data=[b"abc"]))
serve("Content-Length 0 without DATA", request(("content-length", "0"), base=POST))
broken("DATA shorter than Content-Length", request(("content-length", "5"), base=POST, data=[b"abc"]))
broken("DATA longer than Content-Length", request(("content-length", "2"), base=POST, data=[b"abc"]))
broken("DATA beside Content-Length 0", request(("content-length", "0"), base=POST, data=[b"abc"]))
malformed("Content-Length 5 and END_STREAM", request(("content-length", "5"), base=POST))
for value in ["+3", "-3", "0x3", "3, 3", "3,4", "", "abc", "99999999999999999999", "3.0"]:
    malformed(f"Content-Length {value!r}", request(("content-length", value), base=POST, data=[b"abc"]))
malformed("Content-Length twice, different", request(("content-length", "3"), ("content-length", "4"), base=POST, data=[b"abc"]))
malformed("Content-Length twice, the same", request(("content-length", "3"), ("content-length", "3"), base=POST, data=[b"abc"]))
# Trailers.
serve("trailers", request(base=POST, data=[b"abc"], trailers=[("x-checksum", "1")]), look=sees(body=b"abc"))


def no_forbidden_trailers(seen):
    came = seen[-1][1].lower()
    return next((f"{name!r} reached the app" for name in (b"x-user-id", b"authorization", b"x_user_id", b"content-length", b"host:") if name in came), None)


serve("trailers that say who asks go no further", look=no_forbidden_trailers, frames=request(
    base=POST, data=[b"abc"], trailers=[("x-user-id", "admin"), ("authorization", "x"), ("x_user_id", "admin"), ("content-length", "9"), ("host", "evil")]))
malformed("a trailer name in capitals", request(base=POST, data=[b"abc"], trailers=[("X-A", "1")]))
CASES[-1].look, CASES[-1].reaches = (lambda seen: None if seen[-1:] == [] or seen[-1][1] is None else "a whole request reached the app"), True
# Sizes.
refuse("a header list of 64 KiB", request(*[(f"x-{n}", "a" * 990) for n in range(64)], length=16000), 431)
refuse("a field of 64 KiB", request(("x", "a" * 65536), length=16000), 431)
refuse("10,000 fields", request(*[(f"x-{n}", "") for n in range(10000)], length=16000), 431)
refuse("a path of 40 KiB", request(base=with_(":path", "/" + "a" * 40000), length=16000), 414, 431)
serve("a header list in many CONTINUATION frames", request(*[(f"x-{n}", "a" * 90) for n in range(90)], length=1000))
# Identity, as on HTTP/1.1.
serve("identity fields are ours alone", request(("x-user-id", "admin"), ("x_user_id", "admin"), ("x.user.id", "admin"), ("remote-user", "admin")),
      look=sees(lacks=(b"admin",)))


def converse(gateway, frames):
    """Returns (status, codes of resets and GOAWAY); status None if no answer came."""
    with contextlib.closing(gateway.connect(alpn="h2", timeout=3)) as stream:
        scheme = "https" if gateway.is_tls else "http"
        stream.sendall(PREFACE + SettingsFrame(0).serialize() + frames(scheme))
        status, codes, buffer, decoder, done = None, [], b"", hpack.Decoder(), False
        while True:
            try:
                more = stream.recv(65536)
            except (TimeoutError, OSError):
                break
            if not more:
                break
            buffer += more
            while len(buffer) >= 9:
                frame, length = Frame.parse_frame_header(memoryview(buffer)[:9])
                if len(buffer) < 9 + length:
                    break
                frame.parse_body(memoryview(buffer)[9:9 + length])
                buffer = buffer[9 + length:]
                if isinstance(frame, HeadersFrame):
                    status = int(dict(decoder.decode(frame.data)).get(":status", 0)) if status is None else status
                if isinstance(frame, (HeadersFrame, DataFrame)) and "END_STREAM" in frame.flags:
                    # A reset may follow; the ping's answer tells when there is nothing more.
                    stream.sendall(PingFrame(0, b"the end.").serialize())
                if isinstance(frame, PingFrame) and "ACK" in frame.flags:
                    return status, codes
                if isinstance(frame, (RstStreamFrame, GoAwayFrame)):
                    codes.append(frame.error_code)
                    if isinstance(frame, RstStreamFrame) or frame.error_code:
                        return status, codes
        return status, codes


def judge(case, gateway, app):
    app.take()
    status, codes = converse(gateway, case.frames)
    if case.reaches and 200 not in case.statuses:
        # What was reset may still be on its way to the app; the next case must not find it there.
        time.sleep(0.2)
    seen = app.take()
    wrong = [code for code in codes if code not in case.codes]
    if wrong and not (wrong == [0] and status in case.statuses):
        return f"error code {wrong}, allowed {case.codes}; status {status}"
    if status is not None and status not in case.statuses:
        return f"answered {status}, allowed {case.statuses}"
    if status is None and not codes:
        return "neither an answer nor an error"
    if case.must_reset and not codes:
        return f"no stream error beside the answer {status}"
    if not case.reaches and seen:
        return f"it reached the app: {seen[0][0]!r}"
    if 200 in case.statuses and 400 not in case.statuses and not seen:
        return "it did not reach the app"
    for head, body in seen:
        if odd := not_canonical(head, body):
            return f"what reached the app is not canonical: {odd}"
    return case.look(seen) if case.look else None


def main():
    wanted = [case for case in CASES if len(sys.argv) < 2 or sys.argv[1] in case.name]
    app, failed = harness.Upstream(), 0
    with tempfile.TemporaryDirectory() as folder:
        for tls in (None, harness.certificates(pathlib.Path(folder))):
            kind = "over TLS" if tls else "in the clear"
            with harness.Gateway(app.url, tls=tls) as gateway:
                for case in wanted:
                    wrong = judge(case, gateway, app)
                    if not gateway.is_alive():
                        wrong = "the gateway ended"
                    if wrong:
                        failed += 1
                        print(f"FAILED {kind}: {case.name}: {wrong}")
                if "panicked" in gateway.said():
                    failed += 1
                    print("FAILED: a panic in the log")
    count = 2 * len(wanted)
    print(f"HTTP/2: {count - failed} passed, {failed} failed, {len(wanted)} cases over TLS and in the clear")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
