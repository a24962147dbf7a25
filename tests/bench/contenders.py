"""Who is measured: the upstream behind everybody, and each proxy with a configuration that does the same work.

Every contender is one process family of its own, so that its CPU time can be told from that of the others.
"""

import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from gateway import LOWEST_COST, Gateway, children_of, free_port, register, wait_until  # noqa: E402

import configurations as conf  # noqa: E402
import keys  # noqa: E402

ISSUER = "https://bench.example"
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
EMAIL = "bench@example.com"
BODIES = {"1k": 1024, "100k": 100 * 1024}
SHARED_ALGORITHMS = ("HS256", "RS256", "ES256")
ALGORITHMS = (*SHARED_ALGORITHMS, "EdDSA")
# More than all buffers between an app and a client that doesn't read.
BIG = 8 << 20
HAPROXY_PLAIN = "HAProxy plain"


@dataclass
class Case:
    """One line of a table: where requests go and what they carry."""

    name: str
    product: str
    family: list
    origin: str
    prefix: str = ""
    token: str = ""
    is_protected: bool = False
    # A file with a path and a token a line, for requests that are not all alike.
    lines: Path | None = None

    @property
    def port(self):
        return int(self.origin.rpartition(":")[2])

    def path(self, name):
        return f"{self.prefix}/{name}"

    def url(self, name):
        return self.origin + self.path(name)


@dataclass
class Field:
    """Everything that runs for a group of measurements; stops it at the end."""

    binary: Path
    folder: Path
    workers: int
    processes: list = field(default_factory=list)
    gateways: list = field(default_factory=list)

    def __enter__(self):
        # nginx's workers run as another user.
        self.folder.chmod(0o755)
        self.certificate = keys.make_certificate(self.folder)
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
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        folder.chmod(0o777)
        return folder

    def run(self, *command, output=None):
        process = subprocess.Popen([str(word) for word in command], stdout=output)
        self.processes.append(process)
        return process.pid

    def start_nginx(self, http, workers, is_logging=False):
        folder = self.subfolder("nginx")
        for body, length in BODIES.items():
            (folder / body).write_bytes(b"x" * length)
        with open(folder / "big", "wb") as big:
            big.truncate(BIG)
        config = folder / "nginx.conf"
        access_log = f"{folder}/access.log" if is_logging else "off"
        http = http.replace("@folder@", str(folder))
        config.write_text(conf.NGINX.format(workers=workers, folder=folder, access_log=access_log, http=http))
        return self.run("/usr/sbin/nginx", "-c", config, "-p", folder, "-e", folder / "error.log")

    def start_upstream(self):
        port, auth_port = free_port(), free_port()
        self.sockets = free_port()
        self.run(sys.executable, Path(__file__).parent / "sockets.py", self.sockets)
        self.start_nginx(conf.NGINX_UPSTREAM.format(port=port, auth_port=auth_port, folder="@folder@", email=EMAIL), 1)
        return port, auth_port

    def nginx(self, name="nginx plain", is_tls=False, asks_auth=False, is_logging=False):
        """Returns the case of nginx as a plain proxy, or one that asks the auth service for each request."""
        port = free_port()
        http = conf.NGINX_PROXY.format(
            port=port,
            listen_options=" ssl http2" if is_tls else "",
            certificate=self.certificate,
            upstream=self.upstream,
            auth=self.auth,
            sockets=self.sockets,
            auth_request=conf.AUTH_REQUEST if asks_auth else "",
            user_id="$id" if asks_auth else "",
            user_email="$email" if asks_auth else "",
        )
        # The auth service says yes to everybody, so nothing is protected that a check could be refused at.
        return Case(name, "nginx", [self.start_nginx(http, self.workers, is_logging)], origin(is_tls, port))

    def haproxy(self, name=HAPROXY_PLAIN, is_tls=False, is_logging=False, rules="", mode="http"):
        """Returns the case of HAProxy as a plain proxy, or with more rules."""
        port, folder = free_port(), self.subfolder("haproxy")
        config = folder / "haproxy.cfg"
        text = conf.HAPROXY.format(
            workers=self.workers,
            mode=mode,
            port=port,
            bind_options=f" ssl crt {self.certificate} alpn h2,http/1.1" if is_tls else "",
            rules=rules,
            choice="use_backend sockets if { path /socket }" if mode == "http" else "",
            reuse="http-reuse always" if mode == "http" else "",
            upstream=self.upstream,
            sockets=self.sockets,
            log_target="log stdout format raw local0 info" if is_logging else "",
            log="log global\n    option httplog" if is_logging else "",
        )
        config.write_text(text)
        with open(folder / "output.log", "wb") as output:
            pid = self.run("/usr/sbin/haproxy", "-db", "-q", "-f", config, output=output)
        return Case(name, "HAProxy", [pid], origin(is_tls, port))

    def haproxy_jwt(self, gateway, token, algorithm, **how):
        """Returns the case of HAProxy that verifies the gateway's tokens."""
        key = SECRET if algorithm == "HS256" else keys.public_key_file(gateway, self.folder / f"{algorithm}.pem")
        rules = conf.HAPROXY_JWT.format(algorithm=algorithm, issuer=ISSUER, key=key)
        case = self.haproxy(f"HAProxy jwt_verify {algorithm}", rules=rules, **how)
        case.token, case.is_protected = token, True
        return case

    def pump(self):
        """Returns the case that carries bytes and reads none of them: the floor."""
        return self.haproxy("byte pump (HAProxy, mode tcp)", mode="tcp")

    def vestibule(self, algorithm, is_tls=False, is_logging=False, routes=0, has_costly_passwords=False):
        """Returns the gateway that signs with `algorithm`, and an access token of it."""
        config = conf.VESTIBULE.format(
            algorithm=algorithm,
            issuer=ISSUER,
            secret=f'secret = "{SECRET}"' if algorithm == "HS256" else "",
            upstream=self.upstream,
            sockets=self.sockets,
            tls=conf.VESTIBULE_TLS.format(certificate=self.certificate) if is_tls else "",
        )
        config += "".join(conf.VESTIBULE_ROUTE.format(number=number) for number in range(routes))
        gateway = Gateway(self.binary, self.subfolder("vestibule"), config, tls="files" if is_tls else "off")
        if is_logging:
            gateway.config.write_text(gateway.config.read_text().replace("access = false", "access = true"))
        if has_costly_passwords:
            gateway.config.write_text(gateway.config.read_text().replace(LOWEST_COST, ""))
        gateway.start()
        self.gateways.append(gateway)
        gateway.wait_until_ready()
        return gateway, register(gateway.connect(), EMAIL)["access_token"]

    def settle(self, cases):
        """Waits until all listen and have started their workers, and fills in the processes of each."""
        for case in cases:
            wait_until(lambda port=case.port: is_open(port), f"{case.name} listens")
        time.sleep(0.5)
        for case in cases:
            case.family = children_of(case.family[0])


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def origin(is_tls, port):
    return f"{'https' if is_tls else 'http'}://127.0.0.1:{port}"


def public(gateway, name="Vestibule public", **how):
    return Case(name, "Vestibule", [gateway.process.pid], gateway.url(""), **how)


def protected(gateway, token, name, **how):
    return public(gateway, name, prefix="/private", token=token, is_protected=True, **how)
