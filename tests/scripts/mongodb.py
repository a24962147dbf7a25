"""Plays MongoDB for the scripts here: the server of the package that the tests install to target/mongodb, and a line to it that
can be cut, stalled, slowed, or made to lead to a primary that has stepped down.

Runs by target/mongodb/bin/python, which has pymongo.
"""

import asyncio
import enum
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

try:
    import bson
    import pymongo
except ImportError:
    sys.exit("pymongo is missing: run this by target/mongodb/bin/python, which `cargo test store::mongo` makes")

from gateway import free_port, wait_until

SERVER = Path(sys.executable).parent / "secantusd-py"
OP_REPLY, OP_MSG = 1, 2013
HEADER = 16
# Where the document begins: behind flags and kind, or behind what a reply says of its cursor.
BODY = {OP_MSG: HEADER + 5, OP_REPLY: HEADER + 20}
STEPPED_DOWN = {"ok": 0.0, "code": 10107, "codeName": "NotWritablePrimary", "errmsg": "not primary"}


class Server:
    """One server in a folder of its own, which may be killed and started again."""

    def __init__(self, folder):
        self.folder = Path(folder)
        # The same number of digits as every port here has: the proxy puts its own into answers.
        self.port, self.process = free_port_of_five_digits(), None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        command = [SERVER, "--host", "127.0.0.1", "--port", str(self.port), "--storage-path", self.folder / "data"]
        with open(self.folder / "mongodb.log", "ab") as log:
            options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self.process = subprocess.Popen([*command, "--sync-on-commit", "--log-level", "WARNING"], **options)
        wait_until(self.answers, "MongoDB answers", 60)

    def answers(self):
        try:
            with pymongo.MongoClient(self.address, directConnection=True, serverSelectionTimeoutMS=200) as client:
                return client.admin.command("hello")["isWritablePrimary"]
        except pymongo.errors.PyMongoError:
            return False

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(timeout=60)

    def url(self, database):
        return f"mongodb://{self.address}/{database}?replicaSet=secantus"

    def database(self, name):
        """Returns the database for whoever looks by hand, past gateways and proxy."""
        return pymongo.MongoClient(self.address, directConnection=True)[name]


def free_port_of_five_digits():
    return wait_until(lambda: port if (port := free_port()) > 9999 else None, "a free port")


class Line(enum.IntEnum):
    WHOLE = 0
    CUT = 1
    # Nothing passes, and nobody is told.
    STALLED = 2
    SLOW = 3
    STEPPED_DOWN = 4


SLOWNESS = 0.05


class Proxy:
    """Stands between gateways and the server, in a process of its own."""

    def __init__(self, server):
        self.port, self.mode = free_port_of_five_digits(), multiprocessing.Value("i", Line.WHOLE)
        arguments = (self.port, server.port, self.mode, os.getpid())
        self.process = multiprocessing.Process(target=run_proxy, args=arguments, daemon=True)
        self.process.start()
        wait_until(self.listens, "the proxy listens")

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def set(self, line):
        self.mode.value = line

    def url(self, database):
        return f"mongodb://127.0.0.1:{self.port}/{database}?replicaSet=secantus"


def run_proxy(port, server_port, mode, parent):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(carry_all(port, server_port, mode, parent))


async def carry_all(port, server_port, mode, parent):
    connections = set()

    async def accept(reader, writer):
        connections.add(asyncio.current_task())
        try:
            if mode.value != Line.CUT:
                await carry(reader, writer, port, server_port, mode)
        finally:
            connections.discard(asyncio.current_task())
            writer.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    async with server:
        while os.getppid() == parent:
            await asyncio.sleep(0.01)
            if mode.value == Line.CUT:
                for connection in list(connections):
                    connection.cancel()


async def carry(reader, writer, port, server_port, mode):
    try:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", server_port)
    except OSError:
        return
    ways = [
        asyncio.ensure_future(ask(reader, writer, server_writer, mode)),
        asyncio.ensure_future(answer(server_reader, writer, (server_port, port), mode)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        server_writer.transport.abort()


async def message(reader, mode):
    """Returns the next message when the line lets it pass."""
    header = await reader.readexactly(HEADER)
    rest = await reader.readexactly(int.from_bytes(header[:4], "little") - HEADER)
    if mode.value == Line.SLOW:
        await asyncio.sleep(SLOWNESS)
    while mode.value == Line.STALLED:
        await asyncio.sleep(0.01)
    return header + rest


async def ask(reader, back, server, mode):
    while True:
        request = await message(reader, mode)
        if mode.value == Line.STEPPED_DOWN and is_for_the_primary(request):
            back.write(packed(request[4:8], STEPPED_DOWN))
        else:
            server.write(request)


async def answer(server, client, ports, mode):
    here, there = (f"127.0.0.1:{port}".encode() for port in ports)
    while True:
        reply = (await message(server, mode)).replace(here, there)
        client.write(as_secondary(reply) if mode.value == Line.STEPPED_DOWN else reply)


def opcode(text):
    return int.from_bytes(text[12:HEADER], "little")


def is_for_the_primary(request):
    if opcode(request) != OP_MSG:
        return False
    name = request[BODY[OP_MSG] + 5 :].split(b"\0", 1)[0].lower()
    return name not in (b"hello", b"ismaster", b"ping", b"endsessions")


def packed(request_id, document):
    body = bytes(5) + bson.encode(document)
    return (HEADER + len(body)).to_bytes(4, "little") + bytes(4) + request_id + OP_MSG.to_bytes(4, "little") + body


def as_secondary(reply):
    """Returns what the server says of itself as one that has stepped down; other answers as they are."""
    start = BODY.get(opcode(reply))
    if start is None or b"setName" not in reply:
        return reply
    document = bson.decode(reply[start:])
    if "setName" not in document:
        return reply
    document |= {"isWritablePrimary": False, "ismaster": False, "secondary": True}
    document.pop("primary", None)
    text = reply[:start] + bson.encode(document)
    return len(text).to_bytes(4, "little") + text[4:]
