"""What is compared with what: each group yields loads with the cases they are for, the one to compare with first.

Every group has a field of its own, so that no process remembers what another group did to it.
"""

import idle
import measure
import minted
from contenders import ALGORITHMS, HAPROXY_PLAIN, SECRET, SHARED_ALGORITHMS, protected, public
from generators import at_rate, h2load, handshakes, resumptions, walk_once, wrk, wrk_closing
from measure import Load

# Where it is bytes or connections that cost, and the algorithm says nothing new.
FEW = (HAPROXY_PLAIN, "nginx plain", "Vestibule public", "HAProxy jwt_verify HS256", "Vestibule HS256")
SHARE_OF_MAXIMUM = 0.7
TOKENS = 1_000_000
ROUTES = (10, 10_000)


def forwarders(ground, **how):
    return [ground.haproxy(**how), ground.nginx(**how)]


def with_tokens(ground, algorithms, **how):
    """Returns the cases that check tokens, Vestibule's public route in front of them."""
    cases = []
    for algorithm in algorithms:
        gateway, token = ground.vestibule(algorithm, **how)
        if not cases:
            cases.append(public(gateway))
        if algorithm in SHARED_ALGORITHMS:
            cases.append(ground.haproxy_jwt(gateway, token, algorithm, **how))
        cases.append(protected(gateway, token, f"Vestibule {algorithm}"))
    return cases


def few(ground, **how):
    cases = forwarders(ground, **how) + with_tokens(ground, ("HS256",), **how)
    return [case for case in cases if case.name in FEW]


def plain(ground):
    cases = forwarders(ground) + with_tokens(ground, ALGORITHMS)
    yield (
        Load("1 KiB, 64 connections, cleartext"),
        [*cases, ground.nginx("nginx auth_request", asks_auth=True), ground.pump()],
    )
    yield Load("100 KiB, 64 connections, cleartext", body="100k"), [case for case in cases if case.name in FEW]


def tls(ground):
    cases = few(ground, is_tls=True)
    yield Load("1 KiB, 64 connections, TLS 1.3"), cases
    yield Load("1 KiB, 8 connections of 8 streams, HTTP/2 over TLS 1.3", connections=8, drive=h2load(8)), cases
    yield Load("1 KiB, one connection of 100 streams, HTTP/2 over TLS 1.3", connections=1, drive=h2load(100)), cases


def connections(ground):
    cases = few(ground)
    yield Load("1 KiB, 4 connections, cleartext", connections=4), cases
    yield Load("1 KiB, 1,000 connections, cleartext", connections=1000), cases


def new_connections(ground):
    clear = [case for case in few(ground) if not case.is_protected]
    yield Load("1 KiB, a new connection for each request, cleartext", drive=wrk_closing), clear
    secure = [case for case in few(ground, is_tls=True) if not case.is_protected]
    yield Load("1 KiB, a full TLS handshake for each request", drive=handshakes), secure
    yield Load("1 KiB, a resumed TLS session for each request", drive=resumptions), secure


def tokens(ground):
    plain_case = ground.haproxy()
    gateways = {algorithm: ground.vestibule(algorithm) for algorithm in ALGORITHMS}
    missing = [protected(*gateways[algorithm], f"Vestibule {algorithm}") for algorithm in ALGORITHMS]
    for case in missing:
        case.lines = ground.folder / f"{case.name}.lines"
    first = Load("1 KiB, 64 connections, every token for the first time", drive=missed, prepare=measure.collect_tokens)
    yield first, [plain_case, *missing]

    gateway, token = ground.vestibule("HS256")
    cases = [protected(gateway, token, f"Vestibule HS256, {count:,} live tokens") for count in (1, TOKENS)]
    for case, count in zip(cases, (1, TOKENS)):
        path = ground.folder / f"{count}.tokens"
        case.lines = minted.write_tokens(path, case.path("1k"), token, SECRET, count)
    before = gateway.memory("VmRSS")
    walk_once(cases[-1], Load("to fill the cache"), 0, ground.folder)
    held = (gateway.memory("VmRSS") - before) * 1024 / TOKENS
    yield Load(f"1 KiB, 64 connections, tokens that are remembered, of {held:,.0f} bytes each"), [plain_case, *cases]


def missed(case, load, seconds, folder):
    """Sends each token of the case once; HAProxy's plain pass-through has none, and is driven as ever."""
    return (walk_once if case.lines else wrk)(case, load, seconds, folder)


def routes(ground):
    cases = []
    for count in ROUTES:
        gateway, _ = ground.vestibule("HS256", routes=count)
        path = ground.folder / f"{count}.routes"
        lines = minted.write_paths(path, (f"/service-{number}/1k" for number in range(count)))
        cases.append(public(gateway, f"Vestibule public, {count:,} routes", lines=lines))
    yield Load("1 KiB, 64 connections, every route in turn"), [ground.haproxy(), *cases]


def log(ground):
    yield Load("1 KiB, 64 connections, cleartext, each request in the access log"), few(ground, is_logging=True)


def rate(ground):
    cases = few(ground)
    ground.settle(cases)
    most = measure.cost(cases[0], Load("for the maximum"), 3, ground.folder)["rate"]
    asked = most * SHARE_OF_MAXIMUM
    name = f"1 KiB, 64 connections, {asked:,.0f} requests a second: {SHARE_OF_MAXIMUM:.0%} of HAProxy's maximum"
    yield Load(name, drive=at_rate(asked)), cases


def memory(ground):
    for name, state, is_tls in (
        ("an idle keep-alive connection, cleartext", idle.IDLE, False),
        ("an idle keep-alive connection, TLS 1.3", idle.IDLE, True),
        ("an idle connection, HTTP/2 over TLS 1.3", idle.IDLE_H2, True),
        ("an active connection: an answer under way, TLS 1.3", idle.ACTIVE, True),
        ("an idle WebSocket, TLS 1.3", idle.WEBSOCKET, True),
        ("a stalled reader: an answer of 8 MiB that the client doesn't read, TLS 1.3", idle.STALLED, True),
    ):
        gateway = protected(*ground.vestibule("HS256", is_tls=is_tls), "Vestibule HS256")
        yield Load(name, figures=state), [*forwarders(ground, is_tls=is_tls), gateway]


GROUPS = {
    "plain": plain,
    "tls": tls,
    "connections": connections,
    "handshakes": new_connections,
    "tokens": tokens,
    "routes": routes,
    "log": log,
    "rate": rate,
    "memory": memory,
}
