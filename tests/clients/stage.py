"""What the clients of this folder play on: the real binary with an example file of config/examples, and a tiny app behind it.

Only host and port differ from what people deploy: the example's upstream is where the tiny app listens, and variables say
where the gateway listens, where its store is, and that hashes may be cheap. Imported by run.py, which starts everything.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/scripts"))
import gateway  # noqa: E402

PASSWORD = "correct horse battery staple"
WEB_APP = "https://app.example.com"


class TinyApp(http.server.BaseHTTPRequestHandler):
    """Greets whom the gateway names. It knows no token and no password, and believes that scripts of its own origin alone call it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = self.headers.get("X-User-Email") or self.headers.get("X-User-Name")
        body = f"hello {name}".encode() if name else b"welcome"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "http://localhost")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


def start_app():
    """Returns the origin of a tiny app that serves until the process ends."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TinyApp)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Stage(gateway.Gateway):
    """One example file, its variables and its store, and the gateway that serves them."""

    def __init__(self, binary, folder, example, variables):
        self.binary, self.folder, self.tls = Path(binary).resolve(), Path(folder), "off"
        self.port, self.ops_port = gateway.free_port(), gateway.free_port()
        self.config, self.process = self.folder / f"{example}.toml", None
        text = (ROOT / f"config/examples/{example}.toml").read_text()
        apps = {origin: start_app() for origin in re.findall(r"http://127\.0\.0\.1:\d+", text)}
        self.config.write_text(re.sub(r"http://127\.0\.0\.1:\d+", lambda found: apps[found[0]], text))
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")} | {
            "VESTIBULE_SERVER__LISTEN": f"127.0.0.1:{self.port}",
            "VESTIBULE_SERVER__OPS_LISTEN": f"127.0.0.1:{self.ops_port}",
            "VESTIBULE_TLS__MODE": "off",
            "VESTIBULE_PASSWORD__MEMORY": "8KiB",
            "VESTIBULE_PASSWORD__ITERATIONS": "1",
        } | variables

    def start(self):
        with open(self.folder / "vestibule.log", "ab") as log:
            command = [self.binary, "serve", "-c", self.config]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=self.folder)

    def __enter__(self):
        self.start()
        self.wait_until_ready()
        return self

    def __exit__(self, *_):
        self.kill()

    def client(self):
        """Returns a client of the gateway's host and port; scripts know nothing else of it."""
        return httpx.Client(base_url=self.url(""), timeout=30)

    def command(self, *arguments, typed=None, without=()):
        """Returns what `vestibule …` came to on the same file; `without` names variables to leave out."""
        environment = {name: value for name, value in self.environment.items() if name not in without}
        command = [self.binary, *arguments, "-c", self.config]
        return subprocess.run(command, env=environment, cwd=self.folder, input=typed, capture_output=True, text=True)

    def operate(self, *arguments, typed=None):
        """Returns what a command printed that must succeed."""
        done = self.command(*arguments, typed=typed)
        if done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def import_users(self, profile, *rows):
        """Brings users over as their system's export has them."""
        path = self.folder / "users.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.operate("user", "import", "--format", "jsonl", "--profile", profile, str(path))


def expect(answer, status, /, **members):
    """Returns the answer's document; fails unless status and members are these."""
    if answer.status_code != status:
        raise AssertionError(f"{answer.request.method} {answer.request.url}: {answer.status_code} instead of {status}: {answer.text}")
    document = answer.json() if "json" in answer.headers.get("content-type", "") else answer.text
    for name, value in members.items():
        same(document[name], value, f"{name} of {answer.text}")
    return document


def same(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r} instead of {wanted!r}")


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


def bearer(token, scheme="Bearer"):
    return {"Authorization": f"{scheme} {token}"}


def encode(part):
    raw = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(token):
    """Returns header and claims of a token, without asking whether they are true."""
    parts = token.split(".")[:2]
    return tuple(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts)


def sign(header, claims, secret, digest=hashlib.sha256):
    signed = f"{encode(header)}.{encode(claims)}"
    return f"{signed}.{encode(hmac.new(secret.encode(), signed.encode(), digest).digest())}"


def is_signed_with(token, secret, digest=hashlib.sha256):
    signed, _, signature = token.rpartition(".")
    return signature == encode(hmac.new(secret.encode(), signed.encode(), digest).digest())


def old_token(secret, **claims):
    """Returns a token as an app of the replaced system signed it by itself."""
    now = int(time.time())
    return sign({"alg": "HS256", "typ": "JWT"}, {"iat": now, "exp": now + 600} | claims, secret)


def bad_tokens(good, secret):
    """Returns tokens that no route may take: expired, forged, cut, changed, unsigned, malformed."""
    header, claims = decode(good)
    expired = {"iat": claims["iat"] - 7200, "exp": claims["iat"] - 3600}
    return {
        "expired": sign(header, claims | expired, secret),
        "signed with another secret": sign(header, claims, secret[::-1]),
        "cut": good[:-4],
        "changed": good.split(".")[0] + "." + encode(claims | {"roles": ["admin"]}) + "." + good.split(".")[2],
        "unsigned": f"{encode(header | {'alg': 'none'})}.{encode(claims)}.",
        "malformed": "not.a.token",
        "no token": "%%%",
    }


def expect_refused(client, path, good, secret):
    """Nothing but a good token opens the path, and each refusal says how to come in."""
    missing = client.get(path)
    expect(missing, 401)
    same(missing.headers["WWW-Authenticate"], "Bearer", "without a token")
    for kind, token in bad_tokens(good, secret).items():
        answer = client.get(path, headers=bearer(token))
        holds(answer.status_code == 401, f"{path} with a token that is {kind}: {answer.status_code}")
        same(answer.headers["WWW-Authenticate"], 'Bearer error="invalid_token"', kind)


def disable(stage, client, who, path, token):
    """Disables the account and waits until its token opens nothing: a command reaches the gateway within a second."""
    stage.operate("user", "disable", who)
    gateway.wait_until(lambda: client.get(path, headers=bearer(token)).status_code == 401, f"{who} is out")


def expect_shared(client, path, method="GET"):
    """A script of the allowed origin gets past the preflight and can read refusals; one of another origin can't."""
    asked = {"Origin": WEB_APP, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
    preflight = client.options(path, headers=asked)
    expect(preflight, 204)
    same(preflight.headers["Access-Control-Allow-Origin"], WEB_APP, "preflight")
    same(preflight.headers["Access-Control-Allow-Headers"], "authorization", "preflight")
    refused = client.request(method, path, headers={"Origin": WEB_APP})
    holds(refused.status_code in (401, 415), f"{path}: {refused.status_code}")
    same(refused.headers["Access-Control-Allow-Origin"], WEB_APP, "refusal")
    same(refused.headers["Access-Control-Allow-Credentials"], "true", "refusal")
    other = client.request(method, path, headers={"Origin": "https://evil.example"})
    holds("Access-Control-Allow-Origin" not in other.headers, "another origin")
    holds("Origin" in other.headers["Vary"], "what depends on the origin says so")
