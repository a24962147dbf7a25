"""What the conformance scripts share: a test certificate, upstreams, and a gateway in front of them on ports of its own.

Everything listens on the loopback address and ends with the script. Needs Python 3.9 and, for certificates, openssl.
"""

import contextlib
import functools
import os
import pathlib
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("VESTIBULE", ROOT / "target/debug/vestibule"))
HOST = "app.test"
BODY = b"hello from the app\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificates(folder):
    """Returns the paths of a test CA, of a chain for `app.test` and `localhost`, and of its key."""
    def openssl(*arguments, given=None):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, input=given, capture_output=True, text=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
            "-out", "ca.pem", "-days", "365", "-subj", "/CN=Vestibule test CA")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem",
            "-out", "leaf.csr", "-subj", f"/CN={HOST}")
    extensions = (f"subjectAltName=DNS:{HOST},DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"
                  "keyUsage=digitalSignature\nbasicConstraints=CA:FALSE\ncrlDistributionPoints=URI:http://127.0.0.1/ca.crl\n")
    (folder / "extensions").write_text(extensions)
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "leaf.pem", "-days", "90", "-extfile", "extensions")
    (folder / "chain.pem").write_text((folder / "leaf.pem").read_text() + (folder / "ca.pem").read_text())
    return folder / "ca.pem", folder / "chain.pem", folder / "key.pem"


@functools.cache
def tls_context(alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


class Gateway:
    """A running `vestibule serve` whose every path is public and goes to `upstream` (a URL)."""

    def __init__(self, upstream, tls=None, limits="", more=""):
        if not BINARY.exists():
            sys.exit(f"{BINARY} is missing: run `cargo build`, or set VESTIBULE to the program")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vestibule-conformance-"))
        self.port = free_port()
        self.is_tls = tls is not None
        certificate = f'[[tls.certificate]]\ncert = "{tls[1]}"\nkey = "{tls[2]}"\n' if tls else ""
        (self.folder / "vestibule.toml").write_text(
            f'[server]\nlisten = ["127.0.0.1:{self.port}"]\nops_listen = ""\n'
            f'[tls]\nmode = "{"files" if tls else "off"}"\n{certificate}'
            f'[store]\nurl = "sqlite:{self.folder}/accounts.db"\n'
            f"[limits]\n{limits}\n[log]\naccess = false\n"
            f'[upstream.app]\nservers = ["{upstream}"]\n'
            f'[[route]]\npath = "/"\naccess = "public"\nupstream = "app"\n{more}'
        )
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen([BINARY, "serve", "-c", self.folder / "vestibule.toml"], stdout=self.log, stderr=self.log)
        self._wait()

    def _wait(self):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"the gateway did not start:\n{self.said()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        sys.exit("the gateway did not start in time")

    def connect(self, alpn=None, timeout=5, receive_buffer=None):
        """Returns a connected socket, with TLS where the gateway speaks it."""
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(timeout)
        raw.connect(("127.0.0.1", self.port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.is_tls:
            return raw
        return tls_context(alpn).wrap_socket(raw, server_hostname=HOST)

    def is_alive(self):
        return self.process.poll() is None

    def said(self):
        return (self.folder / "log").read_text(errors="replace")

    def memory(self, field="VmRSS"):
        """Returns a memory figure of the process in KiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))

    def forget_peak(self):
        """Lets the peak (VmHWM) begin anew."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def read_request(stream, buffer=b""):
    """Returns the next request on `stream` as (head, raw body, rest), or None at the end. Reads framing strictly, as an app might."""
    while b"\r\n\r\n" not in buffer:
        more = stream.recv(65536)
        if not more:
            return None
        buffer += more
    end = buffer.index(b"\r\n\r\n") + 4
    head, rest = buffer[:end], buffer[end:]
    fields = [line.split(b":", 1) for line in head.split(b"\r\n")[1:-2]]
    named = {name.lower(): value.strip() for name, value in fields}
    if named.get(b"transfer-encoding", b"").lower() == b"chunked":
        body, at = b"", 0
        while True:
            while b"\r\n" not in rest[at:]:
                more = stream.recv(65536)
                if not more:
                    return head, None, b""
                rest += more
            line = rest.index(b"\r\n", at)
            size = int(rest[at:line].split(b";")[0], 16)
            need = line + 2 + size + 2
            if size == 0:
                while b"\r\n\r\n" not in rest[line:]:
                    more = stream.recv(65536)
                    if not more:
                        return head, None, b""
                    rest += more
                end = rest.index(b"\r\n\r\n", line) + 4
                return head, body + rest[at:end], rest[end:]
            while len(rest) < need:
                more = stream.recv(65536)
                if not more:
                    return head, None, b""
                rest += more
            body += rest[at:need]
            at = need
    length = int(named.get(b"content-length", b"0"))
    while len(rest) < length:
        more = stream.recv(65536)
        if not more:
            return head, None, b""
        rest += more
    return head, rest[:length], rest[length:]


class Upstream:
    """A threaded app that keeps what it is sent, byte for byte, and answers with `answer(head)`."""

    def __init__(self, answer=None):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.answer = answer or plain_answer
        self.seen = []
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                stream, _ = self.listener.accept()
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        rest = b""
        with stream, contextlib.suppress(OSError, ValueError):
            while (request := read_request(stream, rest)) is not None:
                head, body, rest = request
                with self.lock:
                    self.seen.append((head, body))
                if body is None:
                    return
                stream.sendall(self.answer(head))

    def take(self):
        """Returns what has come since the last call, as (head, body) with body None where it broke off."""
        with self.lock:
            seen, self.seen = self.seen, []
        return seen

    def close(self):
        self.listener.close()


class Relay:
    """Lets a tool that knows no TLS speak HTTP/2 to a gateway that wants it."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, contextlib.suppress(OSError), self.gateway.connect(alpn="h2", timeout=None) as server:
            # One thread does both ways, for an SSL socket can't be used from two.
            while True:
                ready = [server] if server.pending() else select.select([client, server], [], [])[0]
                for source, drain in ((client, server), (server, client)):
                    if source in ready:
                        source.setblocking(False)
                        try:
                            data = source.recv(65536)
                        except (BlockingIOError, ssl.SSLWantReadError):
                            continue
                        finally:
                            source.setblocking(True)
                        if not data:
                            return
                        drain.sendall(data)


def plain_answer(head):
    if head.startswith(b"HEAD "):
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


def careful_answer(head):
    """Returns what a well-kept app says: the fields that auditors' tools look for are its own to send, not the gateway's."""
    fields = (b"Strict-Transport-Security: max-age=31536000\r\nX-Frame-Options: DENY\r\nX-Content-Type-Options: nosniff\r\n"
              b"Content-Security-Policy: default-src 'self'\r\nReferrer-Policy: no-referrer\r\n")
    return plain_answer(head).replace(b"Content-Type:", fields + b"Content-Type:", 1)


def main():
    """Runs both gateways and an app for as long as the command on the line lasts, which finds their ports in its environment."""
    upstream = Upstream(careful_answer)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        authority, *rest = certificates(folder)
        with Gateway(upstream.url, tls=(authority, *rest)) as tls, Gateway(upstream.url) as plain:
            environment = dict(os.environ, TLS_PORT=str(tls.port), PLAIN_PORT=str(plain.port), APP_PORT=str(upstream.port),
                               RELAY_PORT=str(Relay(tls).port), CA_FILE=str(authority), TEST_HOST=HOST)
            return subprocess.run(sys.argv[1:], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
