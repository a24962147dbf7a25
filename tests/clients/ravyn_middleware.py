"""A client of apps that shared Ravyn's JWT middleware: some paths need a token, and one token serves several apps."""

from stage import PASSWORD, bearer, decode, expect, expect_refused, old_token, same

EXAMPLE = "ravyn-middleware"
SECRET = "what the middleware of all apps had in its settings"
VARIABLES = {"SECRET_KEY": SECRET}

JOHN = {"email": "john@doe.com", "username": "john", "password": PASSWORD}


def play(stage):
    with stage.client() as client:
        same(client.get("/").text, "welcome", "a public path")
        same(client.get("/", headers=bearer("not.a.token")).text, "welcome", "nobody looks at a token there")
        expect(client.post("/create", json=JOHN), 201)
        tokens = expect(client.post("/login", json={"username": "john", "password": PASSWORD}), 200)
        access, refresh = tokens["access_token"], tokens["refresh_token"]
        for path in ("/orders", "/orders/7", "/reports"):
            for scheme in ("Bearer", "JWT"):
                same(client.get(path, headers=bearer(access, scheme)).text, "hello john@doe.com", f"{path} {scheme}")
            expect_refused(client, path, access, SECRET)
        same(client.get("/ordersx").text, "welcome", "a path that only begins alike")
        expect(client.get("/orders", headers=bearer(refresh)), 401)
        lifetimes(access, refresh)
        exchange(client, refresh)
        from_before(stage, client)


def lifetimes(access, refresh):
    for token, seconds in ((access, 5 * 60), (refresh, 24 * 3600)):
        claims = decode(token)[1]
        same(claims["exp"] - claims["iat"], seconds, claims["type"])


def exchange(client, refresh):
    """The first token from the refresh token, the next from its successor."""
    for _ in range(2):
        tokens = expect(client.post("/refresh", json={"refresh_token": refresh}), 200)
        same(client.get("/reports", headers=bearer(tokens["access_token"])).text, "hello john@doe.com", "refreshed")
        refresh = tokens["refresh_token"]
    expect(client.post("/refresh", json={"refresh_token": tokens["access_token"]}), 401)


def from_before(stage, client):
    stage.import_users("ravyn-mongoz", {"_id": {"$oid": "1" * 24}, "email": "jane@doe.com", "username": "jane"})
    token = old_token(SECRET, sub="1" * 24)
    for path in ("/orders", "/reports"):
        same(client.get(path, headers=bearer(token)).text, "hello jane@doe.com", path)


PLAYS = [(VARIABLES, play)]
