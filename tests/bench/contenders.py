"""Who is measured: the upstream behind everybody, and each proxy with a configuration that does the same work.

Every contender is one process family of its own, so that its CPU time can be told from that of the others.
"""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from gateway import Gateway, children_of, free_port, register  # noqa: E402

import tokens  # noqa: E402

ISSUER = "https://bench.example"
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
EMAIL = "bench@example.com"
BODIES = {"1k": 1024, "100k": 100 * 1024}
SHARED_ALGORITHMS = ("HS256", "RS256", "ES256")
ALGORITHMS = (*SHARED_ALGORITHMS, "EdDSA")

NGINX = """
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    {http}
}}
"""

NGINX_UPSTREAM = """
    server {{
        listen 127.0.0.1:{port};
        root {folder};
        location = /seen {{ return 200 "$http_x_user_id"; }}
    }}
    server {{
        listen 127.0.0.1:{auth_port};
        location / {{ add_header X-User-Id somebody; add_header X-User-Email {email}; return 200; }}
    }}
"""

NGINX_PROXY = """
    upstream app {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
    upstream auth {{ server 127.0.0.1:{auth}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port}{listen_options};
        ssl_certificate {certificate}; ssl_certificate_key {certificate};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-User-Id "{user_id}";
        proxy_set_header X-User-Email "{user_email}";
        location / {{ {auth_request} proxy_pass http://app; }}
        location = /_auth {{
            internal;
            proxy_pass http://auth;
            proxy_pass_request_body off;
            # One of these in a location replaces all of those above it.
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
        }}
    }}
"""

HAPROXY = """
global
    nbthread {workers}
    maxconn 4096
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 5s
    http-reuse always
frontend public
    bind 127.0.0.1:{port}{bind_options}
    {rules}
    default_backend app
backend app
    server app 127.0.0.1:{upstream}
"""

# What Vestibule does as well: the signature, the algorithm, who issued it and whether it is over; no header of the caller's
# own that says who they are, and two that do.
HAPROXY_JWT = """
    http-request set-var(txn.bearer) http_auth_bearer
    http-request set-var(txn.algorithm) var(txn.bearer),jwt_header_query('$.alg')
    http-request set-var(txn.issuer) var(txn.bearer),jwt_payload_query('$.iss')
    http-request set-var(txn.now) date()
    http-request set-var(txn.left) var(txn.bearer),jwt_payload_query('$.exp','int'),sub(txn.now)
    http-request deny deny_status 401 unless {{ var(txn.algorithm) -m str {algorithm} }}
    http-request deny deny_status 401 unless {{ var(txn.issuer) -m str {issuer} }}
    http-request deny deny_status 401 unless {{ var(txn.left) -m int gt 0 }}
    http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(txn.algorithm,"{key}") 1 }}
    http-request del-header x-user- -m beg
    http-request set-header x-user-id %[var(txn.bearer),jwt_payload_query('$.sub')]
    http-request set-header x-user-email %[var(txn.bearer),jwt_payload_query('$.email')]
"""

VESTIBULE = """
[auth]
algorithm = "{algorithm}"
issuer = "{issuer}"
access_ttl = "12h"
{secret}
[[tls.certificate]]
cert = "{certificate}"
key = "{certificate}"
[[route]]
path = "/"
access = "public"
upstream = "http://127.0.0.1:{upstream}"
[[route]]
path = "/private"
strip_prefix = true
upstream = "http://127.0.0.1:{upstream}"
"""


@dataclass
class Case:
    """One line of the table: where requests go and what they carry."""

    name: str
    product: str
    family: list
    origin: str
    prefix: str = ""
    token: str = ""
    is_protected: bool = False
    is_tls: bool = False

    def url(self, name):
        return f"{self.origin}{self.prefix}/{name}"


@dataclass
class Field:
    """Everything that runs for a measurement; stops it at the end."""

    binary: Path
    folder: Path
    workers: int
    processes: list = field(default_factory=list)
    gateways: list = field(default_factory=list)

    def __enter__(self):
        self.certificate = tokens.make_certificate(self.folder)
        self.upstream, self.auth = self.start_upstream()
        return self

    def __exit__(self, *_):
        for gateway in self.gateways:
            gateway.kill()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=20)

    def subfolder(self, name):
        folder = self.folder / name
        folder.mkdir()
        # nginx's workers run as another user.
        self.folder.chmod(0o755)
        folder.chmod(0o777)
        return folder

    def run(self, *command):
        process = subprocess.Popen([str(word) for word in command])
        self.processes.append(process)
        return process.pid

    def start_nginx(self, name, workers, http):
        folder = self.subfolder(name)
        for body, length in BODIES.items():
            (folder / body).write_bytes(b"x" * length)
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(workers=workers, folder=folder, http=http.replace("@folder@", str(folder))))
        return self.run("/usr/sbin/nginx", "-c", config, "-p", folder, "-e", folder / "error.log")

    def start_upstream(self):
        port, auth_port = free_port(), free_port()
        http = NGINX_UPSTREAM.format(port=port, auth_port=auth_port, folder="@folder@", email=EMAIL)
        self.start_nginx("upstream", 1, http)
        return port, auth_port

    def nginx(self, name, is_tls=False, asks_auth=False):
        """Returns the case of nginx as a plain proxy, or one that asks the auth service for each request."""
        port = free_port()
        ask = "auth_request /_auth; auth_request_set $id $upstream_http_x_user_id; auth_request_set $email $upstream_http_x_user_email;"
        pid = self.start_nginx(
            name.replace(" ", "-").replace(",", ""),
            self.workers,
            NGINX_PROXY.format(
                port=port,
                listen_options=" ssl" if is_tls else "",
                certificate=self.certificate,
                upstream=self.upstream,
                auth=self.auth,
                auth_request=ask if asks_auth else "",
                user_id="$id" if asks_auth else "",
                user_email="$email" if asks_auth else "",
            ),
        )
        # The auth service says yes to everybody, so nothing is protected that a check could be refused at.
        return Case(name, "nginx", [pid], origin(is_tls, port), is_tls=is_tls)

    def haproxy(self, name, is_tls=False, algorithm="", key="", token=""):
        """Returns the case of HAProxy as a plain proxy, or one that verifies tokens of `algorithm` with `key`."""
        port = free_port()
        rules = HAPROXY_JWT.format(algorithm=algorithm, issuer=ISSUER, key=key) if algorithm else ""
        folder = self.subfolder(name.replace(" ", "-").replace(",", ""))
        config = folder / "haproxy.cfg"
        bind = f" ssl crt {self.certificate} alpn h2,http/1.1" if is_tls else ""
        config.write_text(
            HAPROXY.format(workers=self.workers, port=port, bind_options=bind, rules=rules, upstream=self.upstream)
        )
        pid = self.run("/usr/sbin/haproxy", "-db", "-q", "-f", config)
        return Case(name, "HAProxy", [pid], origin(is_tls, port), token=token, is_protected=bool(algorithm), is_tls=is_tls)

    def vestibule(self, algorithm, is_tls=False):
        """Returns the gateway that signs with `algorithm`, and an access token of it."""
        folder = self.subfolder(f"vestibule-{algorithm}{'-tls' if is_tls else ''}")
        secret = f'secret = "{SECRET}"' if algorithm.startswith("HS") else ""
        config = VESTIBULE.format(
            algorithm=algorithm, issuer=ISSUER, secret=secret, certificate=self.certificate, upstream=self.upstream
        )
        if not is_tls:
            config = "\n".join(line for line in config.splitlines() if self.certificate.name not in line)
            config = config.replace("[[tls.certificate]]", "")
        gateway = Gateway(self.binary, folder, config, tls="files" if is_tls else "off")
        gateway.start()
        self.gateways.append(gateway)
        gateway.wait_until_ready()
        return gateway, register(gateway.connect(), EMAIL)["access_token"]

    def families(self, cases):
        """Fills in the processes of each case, once all have started their workers."""
        for case in cases:
            case.family = children_of(case.family[0])


def origin(is_tls, port):
    return f"{'https' if is_tls else 'http'}://127.0.0.1:{port}"


def vestibule_case(name, gateway, token):
    return Case(
        name,
        "Vestibule",
        [gateway.process.pid],
        gateway.url(""),
        prefix="/private" if token else "",
        token=token,
        is_protected=bool(token),
        is_tls=gateway.tls != "off",
    )


def cleartext_cases(ground):
    """Returns the cases without TLS; HAProxy's plain one first, to which the others are compared."""
    cases = [ground.haproxy("HAProxy plain"), ground.nginx("nginx plain")]
    for algorithm in ALGORITHMS:
        gateway, token = ground.vestibule(algorithm)
        if algorithm == ALGORITHMS[0]:
            cases.append(vestibule_case("Vestibule public", gateway, ""))
        if algorithm in SHARED_ALGORITHMS:
            key = SECRET if algorithm == "HS256" else tokens.public_key_file(gateway, ground.folder / f"{algorithm}.pem")
            name = f"HAProxy jwt_verify {algorithm}"
            cases.append(ground.haproxy(name, algorithm=algorithm, key=key, token=token))
        cases.append(vestibule_case(f"Vestibule {algorithm}", gateway, token))
    cases.append(ground.nginx("nginx auth_request", asks_auth=True))
    return cases


def tls_cases(ground):
    gateway, token = ground.vestibule("EdDSA", is_tls=True)
    return [
        ground.haproxy("HAProxy plain, TLS", is_tls=True),
        ground.nginx("nginx plain, TLS", is_tls=True),
        vestibule_case("Vestibule public, TLS", gateway, ""),
        vestibule_case("Vestibule EdDSA, TLS", gateway, token),
    ]
