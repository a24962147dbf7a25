"""A client of auth-jwt (FastAPI, MongoDB), as its README plays it, and what its wish list asks for."""

import json

from stage import (PASSWORD, WEB_APP, bearer, decode, expect, expect_refused, expect_shared, holds, old_token, same)

EXAMPLE = "auth-jwt"
SECRET = "JWT_SECRET_KEY as it stands in the .env file"
VARIABLES = {
    "JWT_SECRET_KEY": SECRET,
    "ACCESS_TOKEN_EXPIRE_MINUTES": "15",
    "REFRESH_TOKEN_EXPIRE_DAYS": "7",
}

USER = {"email": "user@example.com", "password": PASSWORD}
GRANT = {"user_id", "access_token", "refresh_token"}


def play(stage):
    with stage.client() as client:
        register(client)
        tokens = expect(client.post("/auth/login", json=USER), 200)
        same(set(tokens), GRANT, "members of a login")
        me = expect(client.get("/auth/me", headers=bearer(tokens["access_token"])), 200, email=USER["email"], id=tokens["user_id"])
        same(set(me), {"id", "email", "created_at"}, "members of me")
        same(client.get("/", headers=bearer(tokens["access_token"])).text, "hello user@example.com", "the app's greeting")
        claims(tokens)
        for path in ("/auth/me", "/"):
            expect_refused(client, path, tokens["access_token"], SECRET)
        expect(client.get("/auth/me", headers=bearer(tokens["refresh_token"])), 401)
        users = [json.loads(line) for line in stage.operate("user", "export").splitlines()]
        holds(users[0]["password_hash"].startswith("$argon2id$"), "hashed with argon2")
        from_before(stage, client)
        rotation(client)
        revocation(client)
        where_from(client)
        scripts_of_pages(client)
        rate_limits(client)
        what_is_logged(stage, tokens)


def register(client):
    for weak in ("short", "password", "user@example.com"):
        expect(client.post("/auth/register", json=USER | {"password": weak}), 422)
    expect(client.post("/auth/register", json=USER | {"email": "no address"}), 422, code="invalid_email")
    same(set(expect(client.post("/auth/register", json=USER), 201)), GRANT, "members of a registration")
    expect(client.post("/auth/register", json=USER), 409, code="email_taken")
    expect(client.post("/auth/login", json=USER | {"password": "wrong"}), 401)


def claims(tokens):
    for kind, seconds in (("access", 15 * 60), ("refresh", 7 * 24 * 3600)):
        header, claims = decode(tokens[f"{kind}_token"])
        same((header["alg"], claims["type"], claims["sub"]), ("HS256", kind, tokens["user_id"]), kind)
        same(claims["exp"] - claims["iat"], seconds, f"lifetime of {kind}")


def from_before(stage, client):
    row = {"_id": {"$oid": "a" * 24}, "email": "before@example.com", "created_at": {"$date": "2024-05-01T10:00:00Z"}}
    stage.import_users("auth-jwt", row)
    token = old_token(SECRET, sub="a" * 24, type="access")
    same(client.get("/", headers=bearer(token)).text, "hello before@example.com", "a token from before")
    expect(client.get("/auth/me", headers=bearer(token)), 200, email="before@example.com")
    expect(client.get("/", headers=bearer(old_token(SECRET, sub="a" * 24, type="refresh"))), 401)


# What its wish list asks for.


def sign_in(client):
    return expect(client.post("/auth/login", json=USER), 200)


def rotation(client):
    """Each refresh token works once; a thief who replays one ends the session for both."""
    first = sign_in(client)
    second = expect(client.post("/auth/refresh", json={"refresh_token": first["refresh_token"]}), 200)
    same(set(second), GRANT, "members of a refresh")
    holds(second["refresh_token"] != first["refresh_token"], "rotated")
    third = expect(client.post("/auth/refresh", json={"refresh_token": second["refresh_token"]}), 200)
    expect(client.post("/auth/refresh", json={"refresh_token": first["refresh_token"]}), 401)
    expect(client.post("/auth/refresh", json={"refresh_token": third["refresh_token"]}), 401)
    expect(client.get("/", headers=bearer(third["access_token"])), 401)
    expect(client.post("/auth/refresh", json={"refresh_token": first["access_token"]}), 401)


def revocation(client):
    """Logging out ends the access token as well, at once; so does taking either token back."""
    tokens = sign_in(client)
    expect(client.post("/auth/logout", headers=bearer(tokens["access_token"])), 204)
    expect(client.get("/", headers=bearer(tokens["access_token"])), 401)
    expect(client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]}), 401)
    tokens = sign_in(client)
    expect(client.post("/auth/revoke", data={"token": tokens["access_token"]}), 200)
    expect(client.get("/", headers=bearer(tokens["access_token"])), 401)


def where_from(client):
    """Sessions know the address and the program that they were begun from."""
    answer = client.post("/auth/login", json=USER, headers={"User-Agent": "a wishful client"})
    token = expect(answer, 200)["access_token"]
    sessions = expect(client.get("/auth/sessions", headers=bearer(token)), 200)
    current = [session for session in sessions if session["current"]]
    same([(one["ip"], one["user_agent"]) for one in current], [("127.0.0.1", "a wishful client")], "this session")


def scripts_of_pages(client):
    """A page of another origin may call our endpoints and the app, whatever the app says of origins."""
    for path, method in (("/auth/me", "GET"), ("/auth/login", "POST"), ("/", "GET")):
        expect_shared(client, path, method)
    greeted = client.get("/", headers=bearer(sign_in(client)["access_token"]) | {"Origin": WEB_APP})
    same(greeted.headers.get_list("Access-Control-Allow-Origin"), [WEB_APP], "one word on it, the gateway's")


def rate_limits(client):
    """Guessing is slowed down, alike for accounts that don't exist, and a script can read for how long."""
    for email in ("user@example.com", "nobody@example.com"):
        statuses = []
        for _ in range(12):
            answer = client.post("/auth/login", json={"email": email, "password": "guess"}, headers={"Origin": WEB_APP})
            statuses.append(answer.status_code)
        same(statuses[-1], 429, f"{email}: {statuses}")
        holds(int(answer.headers["Retry-After"]) > 0, "Retry-After")
        same(answer.headers["Access-Control-Allow-Origin"], WEB_APP, "429")


def what_is_logged(stage, tokens):
    """Every event of an account, and nothing that opens one."""
    log = (stage.folder / "vestibule.log").read_text()
    for event in ("user.registered", "login.succeeded", "login.failed", "login.limited", "session.refreshed",
                  "session.reuse_detected", "session.ended"):
        holds(f'"{event}"' in log, f"no {event} in the log")
    for secret in (PASSWORD, SECRET, tokens["access_token"], tokens["refresh_token"]):
        holds(secret not in log, "a secret is in the log")


PLAYS = [(VARIABLES, play)]
