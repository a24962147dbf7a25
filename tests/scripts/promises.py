"""What a gateway has answered to registrations, sign-ins, refreshes and logouts, and whether a store keeps to it.

Each client acts for people of its own, one request after the other, so at any moment at most one answer of a session is open.
"""

import base64
import functools
import hashlib
import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field

from gateway import PASSWORD, post


@functools.cache
def claims(token):
    """Returns the claims of a JWT, unverified. Every token is looked at many times."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def digest(*parts):
    """Returns SHA-256 over the parts, each behind its length: the gateway's own way."""
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def stored(jti):
    """Returns what the store keeps of a refresh token."""
    return digest(b"refresh", jti.encode())


def successor(jti):
    derived = digest(b"refresh successor", jti.encode())[:16]
    return base64.urlsafe_b64encode(derived).decode().rstrip("=")


@dataclass
class Session:
    email: str
    access: str
    refresh: str
    # The requests whose answers have not come, or left open whether they were done: "refresh", "logout".
    pending: set = field(default_factory=set)
    ended: bool = False

    @property
    def id(self):
        return claims(self.access)["sid"]

    def broken_in(self, sessions):
        """Returns what a table of sessions, id to current digest, has otherwise than was answered."""
        kept = sessions.get(self.id)
        if self.ended:
            return "came back" if kept is not None else None
        if kept is None:
            return None if "logout" in self.pending else "is lost"
        jti = claims(self.refresh)["jti"]
        allowed = [stored(jti)] + ([stored(successor(jti))] if "refresh" in self.pending else [])
        return None if kept in allowed else "has another refresh token than was answered"

    def broken_over(self, connection):
        """Yields what a gateway answers otherwise than it must by what it answered before."""
        connection.request("GET", "/auth/me", headers={"Authorization": f"Bearer {self.access}"})
        answer = connection.getresponse()
        answer.read()
        if self.ended and answer.status != 401:
            yield f"{self.email}: the access token of an ended session: {answer.status}"
        if not self.ended and answer.status != 200 and not ("logout" in self.pending and answer.status == 401):
            yield f"{self.email}: the access token: {answer.status}"
        status, body = post(connection, "/auth/refresh", {"refresh_token": self.refresh})
        if self.ended and status != 401:
            yield f"{self.email}: the refresh token of an ended session: {status}"
        if status == 200:
            self.access, self.refresh, self.pending = body["access_token"], body["refresh_token"], set()
        elif "logout" in self.pending and status == 401:
            self.ended, self.pending = True, set()
        elif not self.ended:
            yield f"{self.email}: refresh: {status}"


@dataclass
class Promises:
    users: dict = field(default_factory=dict)
    sessions: list = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def answered(self):
        return self.counts.total()

    def keep(self, what, session=None, user_id=None):
        """Notes an answer that was read to its end."""
        with self.lock:
            self.counts[what] += 1
            if user_id:
                self.users[session.email] = user_id
            if session:
                self.sessions.append(session)

    def broken_in(self, users, sessions):
        """Yields every answer that the tables don't bear out."""
        for email, user_id in self.users.items():
            if users.get(email) != user_id:
                yield f"{email} is lost" if email not in users else f"{email} has another id"
        for session in self.sessions:
            if wrong := session.broken_in(sessions):
                yield f"{session.email}: session {session.id} {wrong}"

    def sample(self, count):
        """Returns the newest and some older sessions, as many that live as have ended."""
        living = [session for session in self.sessions if not session.ended]
        ended = [session for session in self.sessions if session.ended]
        chosen = []
        for group in (living, ended):
            newest, older = group[-count:], group[:-count]
            chosen += newest + random.sample(older, min(count, len(older)))
        return chosen

    def sample_users(self, count):
        everybody = list(self.users.items())
        return everybody[-count:] + random.sample(everybody, min(count, len(everybody)))

    def summary(self):
        return ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items())) + " answered"


class Client:
    """Acts for people whose names begin with `prefix`."""

    def __init__(self, promises, prefix):
        self.promises, self.prefix, self.people, self.sessions = promises, prefix, [], []
        self.named = 0

    def do_something(self, connection):
        """One request, whose answer is held against the gateway from then on. Raises when there is none."""
        actions = [self.register]
        if self.people:
            actions += [self.log_in, self.log_in]
        if self.sessions:
            actions += [self.refresh] * 3 + [self.log_out] * 2
        random.choice(actions)(connection)

    def register(self, connection):
        # Nobody gets a name that was tried before: what was answered 503 may have been done.
        email, self.named = f"{self.prefix}-{self.named}@example.com", self.named + 1
        status, answer = self.ask(connection, "/auth/register", {"email": email, "password": PASSWORD})
        if status == 201:
            self.people.append(email)
            self.begin("registrations", email, answer, answer["user_id"])

    def log_in(self, connection):
        email = random.choice(self.people)
        status, answer = self.ask(connection, "/auth/login", {"email": email, "password": PASSWORD})
        if status == 200:
            self.begin("sign-ins", email, answer, None)

    def begin(self, what, email, answer, user_id):
        session = Session(email, answer["access_token"], answer["refresh_token"])
        self.sessions.append(session)
        self.promises.keep(what, session, user_id)

    def refresh(self, connection):
        session = random.choice(self.sessions)
        session.pending.add("refresh")
        status, answer = self.ask(connection, "/auth/refresh", {"refresh_token": session.refresh})
        if status == 200:
            session.access, session.refresh, session.pending = answer["access_token"], answer["refresh_token"], set()
            self.promises.keep("refreshes")

    def log_out(self, connection):
        session = self.sessions.pop(random.randrange(len(self.sessions)))
        # A refresh that was answered 503 may have been done: that stays open beside whether this is.
        session.pending.add("logout")
        status, _ = self.ask(connection, "/auth/logout", {"refresh_token": session.refresh})
        if status == 204:
            session.ended, session.pending = True, set()
            self.promises.keep("logouts")

    def ask(self, connection, path, document):
        status, answer = post(connection, path, document)
        if status >= 300 and status != 503:
            raise AssertionError(f"{path} was answered {status}: {answer}")
        return status, answer
