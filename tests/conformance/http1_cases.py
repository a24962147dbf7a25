"""The table of http1_corpus.py: bytes that a client may send, and what may come of them.

Disputes are decided by the MUSTs of RFC 9112 and RFC 9110, then by what nginx and HAProxy do.
"""

from dataclasses import dataclass
from typing import Callable, Optional

CLOSE = "close"


@dataclass
class Case:
    name: str
    sent: bytes
    # Statuses that the first answer may have; CLOSE allows none at all.
    allowed: tuple
    # How many answers come at most, and at least unless the connection closes.
    answers: int = 1
    # Whether the connection must end after the answers, and whether anything may have reached the app.
    ends: bool = False
    reaches: bool = True
    # The client says that nothing more comes.
    half_close: bool = False
    # Looks at what reached the app, a list of (head, body); returns what is wrong with it.
    look: Optional[Callable] = None


CASES = []
H = b"Host: app.test\r\n"
CL0 = b"Content-Length: 0"


def head(*fields, line=b"GET /x HTTP/1.1", host=b"Host: app.test"):
    lines = [line] + ([host] if host is not None else []) + list(fields)
    return b"".join(one + b"\r\n" for one in lines) + b"\r\n"


def post(*fields, body=b"", line=b"POST /x HTTP/1.1"):
    return head(*fields, line=line) + body


def chunked(body, *fields):
    return post(b"Transfer-Encoding: chunked", *fields, body=body)


def refuse(name, sent, *allowed, **more):
    """Must not reach the app, and ends the connection."""
    CASES.append(Case(name, sent, allowed or (400,), ends=True, reaches=False, **more))


def broken(name, sent, **more):
    """A body that breaks its framing: its head may have gone on, but never as a whole request."""
    def look(seen):
        return "a whole request reached the app" if any(body is not None for _, body in seen) else None
    CASES.append(Case(name, sent, (400, CLOSE), ends=True, look=look, **more))


def decline(name, sent, *allowed):
    """Read and answered by the gateway itself; the connection may go on."""
    CASES.append(Case(name, sent, allowed, reaches=False))


def serve(name, sent, **more):
    CASES.append(Case(name, sent, (200,), **more))


def sees(*parts, body=None):
    """Returns a look that finds each part in the head, and the body, dechunked by its last look."""
    def look(seen):
        head, came = seen[-1]
        for part in parts:
            if part.lower() not in head.lower():
                return f"{part!r} is not in {head!r}"
        if body is not None and dechunk(came) != body:
            return f"the body is {came!r}"
        return None
    return look


def lacks(*parts):
    def look(seen):
        return next((f"{part!r} is in {seen[-1][0]!r}" for part in parts if part.lower() in seen[-1][0].lower()), None)
    return look


def dechunk(body):
    """Returns the data of a chunked body, and any other body as it is."""
    data, rest = b"", body
    try:
        while rest:
            line, rest = rest.split(b"\r\n", 1)
            size = int(line, 16)
            if size == 0:
                return data
            data, rest = data + rest[:size], rest[size + 2:]
    except ValueError:
        pass
    return body


# The request line.
refuse("two spaces after the method", head(line=b"GET  /x HTTP/1.1"))
refuse("two spaces before the version", head(line=b"GET /x  HTTP/1.1"))
refuse("tab instead of a space", head(line=b"GET\t/x HTTP/1.1"))
refuse("tab before the version", head(line=b"GET /x\tHTTP/1.1"))
refuse("vertical tab in the line", head(line=b"GET /x\x0bHTTP/1.1"))
refuse("form feed in the line", head(line=b"GET\x0c/x HTTP/1.1"))
refuse("space after the version", head(line=b"GET /x HTTP/1.1 "))
refuse("space before the method", head(line=b" GET /x HTTP/1.1"))
refuse("tab before the method", head(line=b"\tGET /x HTTP/1.1"))
refuse("space in the target", head(line=b"GET /a b HTTP/1.1"))
refuse("no target", head(line=b"GET HTTP/1.1"))
refuse("empty target", head(line=b"GET  HTTP/1.1"))
refuse("no version", head(line=b"GET /x"), 400, CLOSE)
refuse("HTTP/0.9", b"GET /x\r\n\r\n", 400, CLOSE)
refuse("only a method", b"GET\r\n\r\n", 400, CLOSE)
refuse("version in lower case", head(line=b"GET /x http/1.1"))
refuse("version in mixed case", head(line=b"GET /x HtTP/1.1"))
refuse("version 1.2", head(line=b"GET /x HTTP/1.2"), 505, 400)
refuse("version 2.0", head(line=b"GET /x HTTP/2.0"), 505, 400)
refuse("version 0.9 spelt out", head(line=b"GET /x HTTP/0.9"), 505, 400)
refuse("version 3.0", head(line=b"GET /x HTTP/3.0"), 505, 400)
refuse("version 9.9", head(line=b"GET /x HTTP/9.9"), 505, 400)
refuse("version with two digits", head(line=b"GET /x HTTP/1.10"))
refuse("version with leading zeros", head(line=b"GET /x HTTP/01.01"))
refuse("version without minor", head(line=b"GET /x HTTP/1"))
refuse("version with a comma", head(line=b"GET /x HTTP/1,1"))
refuse("version with junk", head(line=b"GET /x HTTP/1.1x"))
refuse("version with a space inside", head(line=b"GET /x HTTP/ 1.1"))
refuse("another protocol", head(line=b"GET /x RTSP/1.0"), 400, CLOSE)
refuse("version with a sign", head(line=b"GET /x HTTP/+1.1"))
refuse("method with a colon", head(line=b"GE:T /x HTTP/1.1"))
refuse("method with brackets", head(line=b"G(E)T /x HTTP/1.1"))
refuse("method with NUL", head(line=b"GE\0T /x HTTP/1.1"))
refuse("method with a high byte", head(line=b"G\xc9T /x HTTP/1.1"))
refuse("empty method", head(line=b" /x HTTP/1.1"))
refuse("NUL in the target", head(line=b"GET /\0 HTTP/1.1"))
refuse("control byte in the target", head(line=b"GET /\x01 HTTP/1.1"))
refuse("DEL in the target", head(line=b"GET /\x7f HTTP/1.1"))
refuse("raw UTF-8 in the target", head(line="GET /é HTTP/1.1".encode()))
refuse("fragment", head(line=b"GET /x#frag HTTP/1.1"))
decline("target without a slash", head(line=b"GET x HTTP/1.1"), 400)
refuse("relative target with dots", head(line=b"GET ../x HTTP/1.1"))
refuse("target that begins with a question mark", head(line=b"GET ?x HTTP/1.1"), 400)
refuse("bare CR in the request line", head(line=b"GET /x\r HTTP/1.1"))
refuse("CR CR LF after the request line", b"GET /x HTTP/1.1\r\r\n" + H + b"\r\n")
refuse("bare LF after the request line", b"GET /x HTTP/1.1\n" + H + b"\r\n")
refuse("bare CR as line end", b"GET /x HTTP/1.1\rHost: app.test\r\n\r\n")
refuse("very long target", head(line=b"GET /" + b"a" * 20000 + b" HTTP/1.1"), 414)
refuse("very long method", head(line=b"A" * 40000 + b" /x HTTP/1.1"), 400, 414, 431, 501)
refuse("very long request line without end", b"GET /" + b"a" * 70000, 414, 431)
refuse("TLS hello on a place for HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, CLOSE)
refuse("random bytes", bytes(range(128, 256)) + b"\r\n\r\n", 400, CLOSE)
refuse("HTTP/2 preface with a wrong end", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 400, 505, CLOSE)
refuse("a response for a request", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400, CLOSE)
refuse("very long method in a complete line", head(line=b"A" * 200 + b" /x HTTP/1.1"), 501)
refuse("a method without end", b"A" * 70000)
# Another method by RFC 9110 9.1, but the same to an app that folds case; no client sends it.
for method in [b"get", b"Get", b"gET", b"post", b"Delete", b"options", b"connect", b"Trace"]:
    decline("a common method in another case: %s" % method.decode(), head(line=method + b" /x HTTP/1.1"), 501)
serve("a method of small letters that is like no other", head(line=b"fetch /x HTTP/1.1"), look=sees(b"fetch /x HTTP/1.1"))
serve("absolute form", head(line=b"GET http://app.test/x HTTP/1.1"), look=sees(b"GET /x HTTP/1.1", b"\r\nhost: app.test\r\n"))
serve("absolute form in capitals", head(line=b"GET HTTP://APP.TEST/x HTTP/1.1"), look=sees(b"GET /x HTTP/1.1"))
serve("absolute form without a path", head(line=b"GET http://app.test HTTP/1.1"), look=sees(b"GET / HTTP/1.1"))
serve("absolute form with a query only", head(line=b"GET http://app.test?q=1 HTTP/1.1"), look=sees(b"GET /?q=1 HTTP/1.1"))
serve("absolute form with the default port", head(line=b"GET http://app.test:80/x HTTP/1.1"))
decline("absolute form of another host", head(line=b"GET http://evil.test/x HTTP/1.1"), 400)
decline("absolute form with user info", head(line=b"GET http://u:p@app.test/x HTTP/1.1"), 400)
decline("absolute form of another scheme", head(line=b"GET ftp://app.test/x HTTP/1.1"), 400)
decline("absolute form with an empty host", head(line=b"GET http:///x HTTP/1.1"), 400)
decline("asterisk with GET", head(line=b"GET * HTTP/1.1"), 400)
decline("OPTIONS *", head(line=b"OPTIONS * HTTP/1.1"), 204)
decline("OPTIONS * with a body", post(b"Content-Length: 3", line=b"OPTIONS * HTTP/1.1", body=b"abc"), 204)
decline("OPTIONS * of no host", head(line=b"OPTIONS * HTTP/1.1", host=b"Host: a..b"), 400)
decline("asterisk and more", head(line=b"OPTIONS *x HTTP/1.1"), 400)
decline("asterisk with a query", head(line=b"OPTIONS *?x HTTP/1.1"), 400)
decline("asterisk with POST", post(CL0, line=b"POST * HTTP/1.1"), 400)
decline("CONNECT", head(line=b"CONNECT app.test:443 HTTP/1.1", host=b"Host: app.test:443"), 400, 405, 501)
decline("CONNECT with a path", head(line=b"CONNECT /x HTTP/1.1"), 400, 405, 501)
decline("CONNECT to a port alone", head(line=b"CONNECT :25 HTTP/1.1"), 400, 405, 501)
decline("GET in authority form", head(line=b"GET app.test:80 HTTP/1.1"), 400)
decline("TRACE", head(line=b"TRACE /x HTTP/1.1"), 405, 501)
decline("TRACE with a body", post(b"Content-Length: 3", body=b"abc", line=b"TRACE /x HTTP/1.1"), 400, 405, 501)
for path in [b"/%00", b"/%0d%0aX:1", b"/%2e%2e/x", b"/a/%2e%2e%2fx", b"/..%5cx", b"/a\\b", b"/%zz", b"/%", b"/%c0%ae", b"/%252e%252e/",
             b"/..;/x", b"/%u002e"]:
    decline("target %s" % path.decode(), head(line=b"GET " + path + b" HTTP/1.1"), 400)

# Host.
refuse("no Host", head(host=None))
refuse("two Hosts, the same", head(b"Host: app.test"))
refuse("two Hosts, different", head(b"Host: evil.test"))
refuse("empty Host", head(host=b"Host:"))
refuse("white Host", head(host=b"Host:   "))
for value in [b"user@app.test", b"app.test/x", b"app.test?x", b"app.test#x", b"app test", b"app.test:port", b"app.test:", b"app.test:99999",
              b"app.test:-1", b"app.test:80:80", b"app.test, evil.test", b"http://app.test", b"[::1", b"[zz]", b"::1", b"app..test", b".app.test",
              b"app.test\\", b"app%2etest", b"\xc3\xa4pp.test", b"*", b"a" * 300, b"app.test\x00", b"app.test\tx", b"<script>", b"127.0.0.1.5"]:
    # The framing is sound, so the connection may go on.
    decline("Host: %r" % value.decode("latin-1")[:20], head(host=b"Host: " + value), 400)
refuse("Host and a folded second", head(host=b"Host: app.test\r\n evil.test"))
refuse("absolute form without Host", head(line=b"GET http://app.test/x HTTP/1.1", host=None))
serve("Host in capitals with final dot", head(host=b"HOST: APP.test."))
serve("Host with a port", head(host=b"Host: app.test:8080"), look=sees(b"\r\nhost: app.test:8080\r\n"))
serve("Host is an IPv6 address", head(host=b"Host: [::1]:80"))
serve("Host is an IPv4 address", head(host=b"Host: 127.0.0.1"))
serve("Host with white space around", head(host=b"Host: \t app.test \t"), look=sees(b"\r\nhost: app.test\r\n"))
serve("Host last", b"GET /x HTTP/1.1\r\nA: b\r\nHost: app.test\r\n\r\n")

# Fields.
refuse("folded field", head(b"X: a\r\n b"))
refuse("field folded with a tab", head(b"X: a\r\n\tb"))
refuse("first field begins with a space", b"GET /x HTTP/1.1\r\n " + H + b"\r\n")
refuse("white line before the fields", b"GET /x HTTP/1.1\r\n \r\n" + H + b"\r\n")
refuse("space before the colon", head(b"X : a"))
refuse("tab before the colon", head(b"X\t: a"))
refuse("space before the colon of Host", head(host=b"Host : app.test"))
refuse("space before the colon of Content-Length", post(b"Content-Length : 3", body=b"abc"))
refuse("space before the colon of Transfer-Encoding", post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"))
refuse("empty name", head(b": a"))
refuse("no colon", head(b"Xyz"))
for byte in [b"(", b")", b"<", b"@", b",", b";", b"\\", b'"', b"/", b"[", b"]", b"?", b"=", b"{", b"}", b" ", b"\x00", b"\x7f", b"\x80", b"\xff"]:
    refuse("name with %r" % byte.decode("latin-1"), head(b"X" + byte + b"Y: a"))
for byte in [b"\x00", b"\x01", b"\x08", b"\x0b", b"\x0c", b"\x1b", b"\x7f"]:
    refuse("value with %r" % byte.decode("latin-1"), head(b"X: a" + byte + b"b"))
refuse("bare CR in a value", head(b"X: a\rb"))
refuse("bare CR before the line's end", head(b"X: a\r"))
refuse("bare CR and a smuggled field", head(b"X: a\rTransfer-Encoding: chunked"))
refuse("bare LF after a field", b"GET /x HTTP/1.1\r\nX: a\n" + H + b"\r\n")
refuse("bare LF for the empty line", b"GET /x HTTP/1.1\r\n" + H + b"\n")
refuse("all lines end in bare LF", b"GET /x HTTP/1.1\nHost: app.test\n\n")
refuse("LF CR", b"GET /x HTTP/1.1\r\nHost: app.test\n\r\n\r")
refuse("CR alone as the empty line", b"GET /x HTTP/1.1\r\n" + H + b"\rX: a\r\n\r\n")
refuse("101 fields", head(*[b"X-%d: a" % n for n in range(101)]), 431)
refuse("10,000 fields", head(*[b"X-%d: a" % n for n in range(10000)]), 431)
refuse("value of 64 KiB", head(b"X: " + b"a" * 65536), 431)
refuse("name of 64 KiB", head(b"X" * 65536 + b": a"), 431, 400)
refuse("cookies of 64 KiB", head(*[b"Cookie: a=" + b"b" * 8000] * 8), 431)
refuse("head without end", b"GET /x HTTP/1.1\r\n" + b"X: a\r\n" * 20000, 431)
refuse("head breaks off", b"GET /x HTTP/1.1\r\nHost: app.te", CLOSE, 400, half_close=True)
refuse("two Content-Types", post(b"Content-Type: text/plain", b"Content-Type: text/html", CL0))
refuse("two Content-Types, the same", post(b"Content-Type: text/plain", b"CONTENT-TYPE: text/plain", CL0))
serve("empty value", head(b"X:"), look=sees(b"\r\nx: \r\n"))
serve("white value", head(b"X:  \t "), look=sees(b"\r\nx: \r\n"))
serve("white space around a value", head(b"X: \t a b\t \t"), look=sees(b"\r\nx: a b\r\n"))
serve("no white space before a value", head(b"X:a"), look=sees(b"\r\nx: a\r\n"))
serve("obs-text in a value", head(b"X: caf\xe9"), look=sees(b"\r\nx: caf\xe9\r\n"))
serve("UTF-8 in a value", head("X: käse".encode()))
serve("tab inside a value", head(b"X: a\tb"))
serve("every token character in a name", head(b"A!#$%&'*+-^`|~9: a"))
serve("colons in a value", head(b"X: a:b::c"))
serve("a cookie of 8 KiB", head(b"Cookie: a=" + b"b" * 8192))
serve("a head of 30 KiB", head(*[b"X-%d: %s" % (n, b"a" * 990) for n in range(30)]))
serve("90 fields", head(*[b"X-%d: a" % n for n in range(90)]))
serve("Connection that nominates a field", head(b"Connection: keep-alive, X-Foo", b"X-Foo: 1"), look=lacks(b"x-foo", b"\r\nconnection: keep"))
serve("Connection that nominates Host", head(b"Connection: Host"), look=sees(b"\r\nhost: app.test\r\n"))
serve("Connection that nominates Content-Length", post(b"Connection: Content-Length", b"Content-Length: 3", body=b"abc"), look=sees(body=b"abc"))
serve("Connection: close, served and closed", head(b"Connection: close"), ends=True)
serve("Connection: CLOSE in a list", head(b"Connection: foo, CLOSE"), ends=True)
serve("Keep-Alive and Proxy-Connection end here", head(b"Keep-Alive: 5", b"Proxy-Connection: x"), look=lacks(b"keep-alive", b"proxy-connection"))
serve("TE: trailers", head(b"TE: trailers", b"Connection: TE"))
serve("TE: gzip goes no further", head(b"TE: gzip"), look=lacks(b"gzip"))

# Framing.
CL, TE = b"Content-Length: ", b"Transfer-Encoding: "
refuse("Content-Length, then Transfer-Encoding", post(CL + b"5", TE + b"chunked", body=b"0\r\n\r\n"))
refuse("Transfer-Encoding, then Content-Length", post(TE + b"chunked", CL + b"5", body=b"0\r\n\r\n"))
refuse("Content-Length 0 and Transfer-Encoding", post(CL + b"0", TE + b"chunked", body=b"0\r\n\r\n"))
refuse("Content-Length and Transfer-Encoding: identity", post(CL + b"3", TE + b"identity", body=b"abc"))
for value in [b"+3", b"-3", b"0x3", b"3x", b"3,3", b"3, 3", b"3,4", b"3;", b"", b"3 3", b"3.0", b"1e1", b"three", b"\xb3", b"03", b"00", b"-0",
              b"99999999999999999999", b"18446744073709551616", b"18446744073709551619", b"9" * 400, b'"3"', b"0b11", b"3_0", b"3\x0b"]:
    refuse("Content-Length: %r" % value.decode("latin-1")[:24], post(CL + value, body=b"abc"))
refuse("Content-Length twice, the same", post(CL + b"3", CL + b"3", body=b"abc"))
refuse("Content-Length twice, different", post(CL + b"3", CL + b"4", body=b"abcd"))
refuse("Content-Length in two spellings", post(b"content-length: 3", b"CONTENT-LENGTH: 0", body=b"abc"))
refuse("Content-Length folded", post(b"Content-Length:\r\n 3", body=b"abc"))
for value in [b"chunked, chunked", b"identity, chunked", b"chunked, identity", b"gzip, chunked", b"chunked, gzip", b"xchunked", b"chunkedx",
              b"identity", b"gzip", b"", b",chunked", b"chunked,", b"chunked;q=1", b'"chunked"', b"'chunked'", b"\x0bchunked", b"chunked\x0b",
              b"chunked\x00", b"\xa0chunked", b"chun ked", b"x chunked", b"chunked foo", b"cow", b"chu\xc5\xbfked"]:
    refuse("Transfer-Encoding: %r" % value.decode("latin-1"), post(TE + value, body=b"0\r\n\r\n"), 400, 501)
refuse("Transfer-Encoding twice", post(TE + b"chunked", TE + b"chunked", body=b"0\r\n\r\n"))
refuse("Transfer-Encoding twice, the first unknown", post(TE + b"cow", TE + b"chunked", body=b"0\r\n\r\n"), 400, 501)
refuse("Transfer-Encoding twice, the second identity", post(TE + b"chunked", TE + b"identity", body=b"0\r\n\r\n"), 400, 501)
refuse("Transfer-Encoding folded", post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n"))
refuse("Transfer-Encoding on HTTP/1.0", post(TE + b"chunked", body=b"0\r\n\r\n", line=b"POST /x HTTP/1.0"))
refuse("Transfer_Encoding is no framing, and dropped", post(b"Transfer-Encoding: chunked", b"Content_Length: 5", CL + b"1", body=b"0\r\n\r\n"))
serve("Transfer_Encoding means nothing", post(b"Transfer_Encoding: chunked", CL + b"5", body=b"0\r\n\r\n"), look=lacks(b"transfer_encoding"))
serve("Content-Length 0", post(CL + b"0"))
serve("Content-Length with white space around", post(b"Content-Length: \t3 \t", body=b"abc"), look=sees(body=b"abc"))
serve("GET with a body", post(CL + b"3", body=b"abc", line=b"GET /x HTTP/1.1"), look=sees(body=b"abc"))
serve("DELETE with a chunked body", post(TE + b"chunked", body=b"3\r\nabc\r\n0\r\n\r\n", line=b"DELETE /x HTTP/1.1"), look=sees(body=b"abc"))
serve("POST without any length", post())
serve("Transfer-Encoding: Chunked", post(TE + b"Chunked", body=b"3\r\nabc\r\n0\r\n\r\n"), look=sees(body=b"abc"))
serve("Transfer-Encoding with a tab in front", post(b"Transfer-Encoding:\tchunked", body=b"3\r\nabc\r\n0\r\n\r\n"), look=sees(body=b"abc"))
broken("a body shorter than its length", post(CL + b"10", body=b"abc"), half_close=True)

# Chunks.
END = b"0\r\n\r\n"
for name, line in [("0x prefix", b"0x3"), ("plus", b"+3"), ("minus", b"-3"), ("leading space", b" 3"), ("trailing space", b"3 "), ("trailing tab", b"3\t"),
                   ("no size", b""), ("no digit but extension", b";a=b"), ("letter g", b"g"), ("dot", b"3.0"), ("underscore", b"1_0"), ("comma", b"3,"),
                   ("17 digits", b"1" + b"0" * 15 + b"3"), ("17 zeros", b"0" * 17 + b"3"), ("overflow", b"ffffffffffffffff0"), ("NUL", b"3\0"), ("minus zero", b"-0"),
                   ("space before extension", b"3 ;a"), ("high byte", b"\xb3")]:
    broken(f"chunk size: {name}", chunked(line + b"\r\nabc\r\n" + END))
broken("chunk size beyond memory", chunked(b"ffffffffffffffff\r\nabc\r\n" + END), half_close=True)
broken("chunk size ends in bare LF", chunked(b"3\nabc\r\n" + END))
broken("chunk size ends in bare CR", chunked(b"3\rabc\r\n" + END))
broken("chunk size ends in CR CR LF", chunked(b"3\r\r\nabc\r\n" + END))
broken("extension with bare LF", chunked(b"3;a\nabc\r\n" + END))
broken("extension with bare CR", chunked(b"3;a\rb\r\nabc\r\n" + END))
broken("extension with NUL", chunked(b"3;a\0\r\nabc\r\n" + END))
broken("last chunk ends in bare LF", chunked(b"3\r\nabc\r\n0\n\r\n"))
broken("empty line after the last chunk is bare LF", chunked(b"3\r\nabc\r\n0\r\n\n"))
broken("data without CR LF", chunked(b"3\r\nabc" + END))
broken("data ends in bare LF", chunked(b"3\r\nabc\n" + END))
broken("data ends in bare CR", chunked(b"3\r\nabc\r" + END))
broken("data ends in LF CR", chunked(b"3\r\nabc\n\r" + END))
broken("data longer than its size", chunked(b"3\r\nabcd\r\n" + END))
broken("data shorter than its size", chunked(b"5\r\nabc\r\n" + END), half_close=True)
broken("no last chunk", chunked(b"3\r\nabc\r\n"), half_close=True)
broken("last chunk without end", chunked(b"3\r\nabc\r\n0\r\n"), half_close=True)
broken("two empty lines for a size", chunked(b"\r\n3\r\nabc\r\n" + END))
broken("extensions without end", chunked(b"3;" + b"a" * 70000), half_close=True)
broken("trailer without colon", chunked(b"3\r\nabc\r\n0\r\nX\r\n\r\n"))
broken("trailer with a space before the colon", chunked(b"3\r\nabc\r\n0\r\nX : a\r\n\r\n"))
broken("folded trailer", chunked(b"3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n"))
broken("trailer that ends in bare LF", chunked(b"3\r\nabc\r\n0\r\nX: a\n\r\n"))
broken("trailer with NUL", chunked(b"3\r\nabc\r\n0\r\nX: \0\r\n\r\n"))
broken("trailers of 64 KiB", chunked(b"3\r\nabc\r\n0\r\n" + b"X: aaaaaaaa\r\n" * 5000 + b"\r\n"))
serve("chunk extension", chunked(b"3;a=b\r\nabc\r\n" + END), look=sees(body=b"abc"))
for name, line in [("no name", b"3;"), ("white space for a name", b"3; \t"), ("a second without a name", b"3;a;"), ("no name but a value", b"3;=a"),
                   ("no value", b"3;a="), ("white space at its end", b"3;a "), ("white space behind a value", b"3;a=b "), ("two words", b"3;a b"),
                   ("a bracket in the name", b"3;a[=b"), ("a slash in the value", b"3;a=b/c"), ("two values", b"3;a=b=c"), ("high byte", b"3;a\xe9"),
                   ("open quote", b'3;a="b'), ("text behind a quoted string", b'3;a="b"c'), ("escape at the end", b'3;a="b\\'), ("control byte", b"3;a\x01")]:
    broken(f"chunk extension: {name}", chunked(line + b"\r\nabc\r\n" + END))
serve("chunk extension with white space where it may be", chunked(b'3; a = b ;c="\\";\xe9"\r\nabc\r\n' + END), look=sees(body=b"abc"))
broken("extension of 64 KiB", chunked(b"3;a=" + b"b" * 65536 + b"\r\nabc\r\n" + END))


def nothing(seen):
    return "something reached the app" if seen else None


broken("nothing of a body that is broken from its start goes on", chunked(b"3\r\nabc\r\n+3\r\nabc\r\n" + END))
CASES[-1].allowed, CASES[-1].look, CASES[-1].reaches = (400,), nothing, False
serve("chunk extension with a quoted string", chunked(b'3;a="b;c"\r\nabc\r\n' + END), look=sees(body=b"abc"))
serve("several extensions", chunked(b"3;a;b=c\r\nabc\r\n0;z\r\n\r\n"), look=sees(body=b"abc"))
serve("hexadecimal in lower case", chunked(b"a\r\n0123456789\r\n" + END), look=sees(body=b"0123456789"))
serve("hexadecimal in capitals", chunked(b"A\r\n0123456789\r\n" + END), look=sees(body=b"0123456789"))
serve("size with leading zeros", chunked(b"0003\r\nabc\r\n" + END), look=sees(body=b"abc"))
serve("last chunk of several zeros", chunked(b"3\r\nabc\r\n000\r\n\r\n"), look=sees(body=b"abc"))
serve("only the last chunk", chunked(END), look=sees(body=b""))
serve("many small chunks", chunked(b"1\r\nx\r\n" * 300 + END), look=sees(body=b"x" * 300))


def no_forbidden_trailers(seen):
    came = seen[-1][1].lower()
    return next((f"trailer {name!r} reached the app" for name in (b"content-length", b"host:", b"x-user-id", b"authorization", b"transfer-encoding",
                                                                  b"x-forwarded-for", b"cookie") if name in came), None)


serve("forbidden trailers go no further", chunked(
    b"3\r\nabc\r\n0\r\nContent-Length: 9\r\nHost: evil\r\nX-User-Id: admin\r\nAuthorization: x\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: 1\r\nCookie: a\r\n\r\n",
    b"Trailer: X-User-Id"), look=no_forbidden_trailers)
serve("a harmless trailer", chunked(b"3\r\nabc\r\n0\r\nX-Checksum: 1\r\n\r\n", b"Trailer: X-Checksum"))

# Pipelining, and what is hidden behind a request.
G = head()
serve("two requests at once", G + G, answers=2)
serve("ten requests at once", G * 10, answers=10)
serve("an empty line before a request", b"\r\n" + G)
serve("two empty lines before a request", b"\r\n\r\n" + G)
serve("empty line between requests", post(CL + b"3", body=b"abc") + b"\r\n" + G, answers=2)
refuse("bare LF before a request", b"\n" + G)
refuse("bare CR before a request", b"\r" + G)
serve("a request that looks like the next one in its body", post(CL + b"%d" % len(G), body=G) + G, answers=2)
serve("chunks, then a request", chunked(b"3\r\nabc\r\n" + END) + G, answers=2)


def only_one(seen):
    return None if len(seen) == 1 else f"{len(seen)} requests reached the app"


CASES.append(Case("a bad request behind a good one", G + head(b"X : a") + G, (200,), answers=2, ends=True, look=only_one))
CASES.append(Case("nothing behind Connection: close is read", head(b"Connection: close") + G, (200,), ends=True, look=only_one))
CASES.append(Case("nothing behind HTTP/1.0 without keep-alive is read", head(line=b"GET /x HTTP/1.0") + G, (200,), ends=True, look=only_one))

# Versions, expectations, upgrades, methods.
serve("HTTP/1.0 with Host", head(line=b"GET /x HTTP/1.0"), ends=True)
serve("HTTP/1.0 with keep-alive", head(b"Connection: keep-alive", line=b"GET /x HTTP/1.0") * 2, answers=2)
serve("HTTP/1.0 with a length", post(CL + b"3", body=b"abc", line=b"POST /x HTTP/1.0"), look=sees(body=b"abc"), ends=True)
decline("HTTP/1.0 without Host has no route", head(line=b"GET /x HTTP/1.0", host=None), 400, 404)
refuse("two Hosts on HTTP/1.0", head(b"Host: b.test", line=b"GET /x HTTP/1.0"))
serve("Expect: 100-continue", post(b"Expect: 100-continue", CL + b"3", body=b"abc"), look=sees(body=b"abc"))
serve("Expect: 100-Continue", post(b"Expect: 100-Continue", CL + b"3", body=b"abc"), look=sees(body=b"abc"))
serve("Expect: 100-continue without a body", head(b"Expect: 100-continue"))
serve("Expect: 100-continue on HTTP/1.0 is ignored", post(b"Expect: 100-continue", CL + b"3", body=b"abc", line=b"POST /x HTTP/1.0"), ends=True)
refuse("Expect: something else", post(b"Expect: 200-ok", CL + b"3", body=b"abc"), 417)
refuse("Expect: a list", post(b"Expect: 100-continue, more", CL + b"3", body=b"abc"), 417)
serve("Upgrade: h2c is ignored", head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
      look=lacks(b"upgrade", b"http2-settings"))
serve("Upgrade: h2c and a pipelined request", head(b"Connection: Upgrade", b"Upgrade: h2c") + G, answers=2)
serve("Upgrade without Connection is ignored", head(b"Upgrade: websocket"), look=lacks(b"upgrade"))
for field in [b"Sec-WebSocket-Version: 99", b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Version: 13, 8", b"Sec-WebSocket-Version:"]:
    decline("WebSocket with %s" % field.decode(), head(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x", field), 426)
for line in [b"POST /x HTTP/1.1", b"GET /x HTTP/1.0"]:
    serve("WebSocket by %s is an ordinary request" % line.decode(), look=lacks(b"upgrade"), ends=line.endswith(b"0"), sent=head(
        b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 13", line=line))
serve("Upgrade: websocket that the app declines, and a pipelined request",
      head(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 13") + G, answers=2)
serve("Upgrade: TLS/1.0 is ignored", head(b"Connection: Upgrade", b"Upgrade: TLS/1.0"), look=lacks(b"upgrade"))
for method in [b"HEAD", b"PUT", b"PATCH", b"OPTIONS", b"PROPFIND", b"M-SEARCH", b"REPORT", b"QUERY", b"!#$%&'*+-.^_`|~09AZaz"]:
    serve("method %s" % method.decode(), head(line=method + b" /x HTTP/1.1"), look=sees(method + b" /x HTTP/1.1"))
serve("HEAD, then GET", head(line=b"HEAD /x HTTP/1.1") + G, answers=2)
serve("a query with everything", head(line=b"GET /x?a=b&c=%00&d=/../?'!$()*,;:@[]{}|^`\\~ HTTP/1.1"))
for byte in [b"<", b">", b'"']:
    refuse("query with %s" % byte.decode(), head(line=b"GET /x?" + byte + b" HTTP/1.1"))
serve("dot segments are taken out", head(line=b"GET /a/./b/../c HTTP/1.1"), look=sees(b"GET /a/c HTTP/1.1"))
serve("escapes get one spelling", head(line=b"GET /%7ea%c3%a4 HTTP/1.1"), look=sees(b"GET /~a%C3%A4 HTTP/1.1"))
