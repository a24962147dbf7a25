#!/usr/bin/env python3
"""Forgotten passwords and verified addresses by mails that this script fetches from a real SMTP server (aiosmtpd).

register, verify by the mail, forget the password, choose a new one by the mail, try the link again; then the same while the mail
server is away and the gateway is killed meanwhile. Two gateways run on the store, and no mail may come twice. Needs target/python.

    mail.py [--binary PATH]
"""

import argparse
import email
import email.policy
import os
import re
import tempfile

from aiosmtpd.controller import Controller

from gateway import PASSWORD, RELEASE_BINARY, Gateway, end_on_sigterm, free_port, post, register, wait_until

NEW = "quite another password"
ORIGIN = "http://app.example.com"
CONFIG = """
[mail]
smtp = "smtp://127.0.0.1:{port}"
from = "Gate <gate@example.com>"
[upstream.app]
servers = ["http://127.0.0.1:9"]
[[route]]
upstream = "app"
"""


class Mailbox:
    """Keeps what is sent: recipients and the parsed mail."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, _server, _session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((envelope.rcpt_tos, mail))
        return "250 taken"

    def wait_for(self, index):
        """Returns the mail number `index`, from 0."""
        wait_until(lambda: len(self.mails) > index, f"mail {index}", 60)
        return self.mails[index]


def token_of(recipients, mail, to, path):
    """Returns what both parts of the mail link to, having held the mail to what it must be."""
    assert recipients == [to] and mail["To"] == to and mail["From"] == "Gate <gate@example.com>", mail.items()
    assert mail["Auto-Submitted"] == "auto-generated" and mail["Message-ID"] and mail["Date"], mail.items()
    link = re.escape(f"{ORIGIN}{path}#token=") + r"([A-Za-z0-9_-]{43})"
    tokens = {kind: re.search(link, mail.get_body((kind,)).get_content()) for kind in ("plain", "html")}
    assert all(tokens.values()), mail.as_string()
    assert tokens["plain"][1] == tokens["html"][1]
    return tokens["plain"][1]


def expect(connection, path, document, status):
    answered, document = post(connection, path, document)
    assert answered == status, f"{path}: {answered} instead of {status}: {document}"


def lose_and_find(connection, mailbox, address, password):
    """Forgets a password and chooses `password` by the next mail."""
    count = len(mailbox.mails)
    expect(connection, "/auth/password/forgot", {"email": address.upper()}, 202)
    token = token_of(*mailbox.wait_for(count), address, "/reset-password")
    expect(connection, "/auth/password/reset", {"token": token, "new_password": password}, 204)
    expect(connection, "/auth/password/reset", {"token": token, "new_password": f"{password}!"}, 422)
    expect(connection, "/auth/login", {"email": address, "password": password}, 200)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=RELEASE_BINARY)
    binary = parser.parse_args().binary
    end_on_sigterm()
    os.environ["VESTIBULE_SERVER__PUBLIC_URL"] = ORIGIN
    mailbox, port = Mailbox(), free_port()
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as beside:
        gateway = Gateway(binary, folder, CONFIG.format(port=port))
        second = Gateway(binary, beside, CONFIG.format(port=port))
        second.config.write_text(second.config.read_text().replace(f"sqlite:{beside}/", f"sqlite:{folder}/"))
        try:
            for one in (gateway, second):
                one.start()
                one.wait_until_ready()
            connection = gateway.connect()
            address = "ada@example.com"
            register(connection, address)
            token = token_of(*mailbox.wait_for(0), address, "/verify-email")
            expect(connection, "/auth/email/verify", {"token": token}, 204)
            expect(connection, "/auth/email/verify", {"token": token}, 422)
            expect(connection, "/auth/password/forgot", {"email": "nobody@example.com"}, 202)
            lose_and_find(connection, mailbox, address, NEW)
            expect(connection, "/auth/login", {"email": address, "password": PASSWORD}, 401)
            assert len(mailbox.mails) == 2, [to for to, _ in mailbox.mails]
            print("verified, reset, refused the second time: ok")

            server.stop()
            expect(connection, "/auth/password/forgot", {"email": address}, 202)
            # Killed in the middle of an attempt it would come as well, but only when nobody else can be sending it any more.
            logs = [one.folder / "vestibule.log" for one in (gateway, second)]
            wait_until(lambda: any("did not take it" in log.read_text() for log in logs), "a first attempt")
            gateway.kill()
            second.kill()
            server = Controller(mailbox, hostname="127.0.0.1", port=port)
            server.start()
            for one in (gateway, second):
                one.start()
                one.wait_until_ready()
            token = token_of(*mailbox.wait_for(2), address, "/reset-password")
            connection = gateway.connect()
            expect(connection, "/auth/password/reset", {"token": token, "new_password": PASSWORD}, 204)
            lose_and_find(connection, mailbox, address, NEW)
            assert len(mailbox.mails) == 4, [to for to, _ in mailbox.mails]
            print("a mail server away, both gateways killed, the mail came once: ok")
        finally:
            gateway.kill()
            second.kill()
            server.stop()


if __name__ == "__main__":
    main()
