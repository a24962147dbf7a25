"""A client of a Ravyn app with users in Mongoz or Edgy, as its documentation plays it: make a user, sign in, be greeted."""

from stage import PASSWORD, bad_tokens, bearer, decode, disable, expect, expect_refused, holds, old_token, same

EXAMPLE = "ravyn"
SECRET = "the secret that the app has signed with so far"
VARIABLES = {"SECRET_KEY": SECRET}

JOHN = {
    "first_name": "John",
    "last_name": "Doe",
    "email": "john@doe.com",
    "username": "john.doe",
    "password": PASSWORD,
}
# bcrypt of "old password", as passlib of the app made it.
OLD_HASH = "$2b$04$ysfduXrbliQLxnNX7H3rB.lGoP1n6jByQTEn96oICanxf4Oylz0E6"


def play(stage):
    with stage.client() as client:
        token = sign_up_and_in(client)
        expect_refused(client, "/", token, SECRET)
        own_record(client, token)
        people_from_before(stage, client)
        inactive_users(stage, client, token)
        missing_secret(stage)


def sign_up_and_in(client):
    expect(client.post("/create", json=JOHN), 201)
    expect(client.post("/create", json=JOHN), 409)
    expect(client.post("/create", json=JOHN | {"username": "other"}), 409, code="email_taken")
    expect(client.post("/create", json=JOHN | {"email": "John@DOE.com", "username": "other"}), 409, code="email_taken")
    expect(client.post("/create", json=JOHN | {"email": "other@doe.com"}), 409, code="username_taken")
    expect(client.post("/create", json={"email": "jane@doe.com", "password": PASSWORD}), 422)
    expect(client.post("/create", json=JOHN | {"is_superuser": True}), 400)
    token = expect(client.post("/login", json={"email": "john@doe.com", "password": PASSWORD}), 200)["access_token"]
    same(client.get("/", headers=bearer(token)).text, "hello john@doe.com", "the app's greeting")
    same(decode(token)[0]["alg"], "HS256", "algorithm")
    wrong = client.post("/login", json={"email": "john@doe.com", "password": "wrong"})
    unknown = client.post("/login", json={"email": "nobody@doe.com", "password": "wrong"})
    same(expect(wrong, 401), expect(unknown, 401), "who is unknown can't be told from who mistyped")
    return token


def own_record(client, token):
    """What the app's users had beside their names is declared in the example."""
    change = {"profile": {"date_of_birth": "1990-01-31"}}
    me = expect(client.patch("/auth/me", json=change, headers=bearer(token)), 200)
    same((me["profile"], me["roles"]), ({"date_of_birth": "1990-01-31"}, []), "own record")
    expect(client.patch("/auth/me", json={"profile": {"is_verified": True}}, headers=bearer(token)), 422, code="read_only")
    expect(client.patch("/auth/me", json={"role": "admin"}, headers=bearer(token)), 400)


def people_from_before(stage, client):
    """Who has an account there has it here, and a token that the app signed opens the route until its user is disabled."""
    jane = {"_id": {"$oid": "0" * 23 + "1"}, "email": "jane@doe.com", "username": "jane", "password": OLD_HASH, "role": "user"}
    stage.import_users("ravyn-mongoz", jane)
    token = old_token(SECRET, sub=jane["_id"]["$oid"])
    same(client.get("/", headers=bearer(token)).text, "hello jane@doe.com", "a token from before")
    expect(client.get("/", headers=bearer(old_token(SECRET[::-1], sub=jane["_id"]["$oid"]))), 401)
    expect(client.get("/", headers=bearer(old_token(SECRET, sub="unknown"))), 401)
    expect(client.post("/login", json={"email": "jane@doe.com", "password": "old password"}), 200)
    disable(stage, client, "jane@doe.com", "/", token)


def inactive_users(stage, client, token):
    disable(stage, client, "john@doe.com", "/", token)
    refused = expect(client.post("/login", json={"email": "john@doe.com", "password": PASSWORD}), 401)
    unknown = expect(client.post("/login", json={"email": "nobody@doe.com", "password": PASSWORD}), 401)
    same(refused, unknown, "who is inactive can't be told from who is unknown")


def missing_secret(stage):
    done = stage.command("check", without=["SECRET_KEY"])
    same(done.returncode, 78, "exit code without a secret")
    holds("SECRET_KEY" in done.stdout + done.stderr, done.stdout + done.stderr)


# The same app with other settings of its own: names, header types, lifetimes.
OTHER_SETTINGS = VARIABLES | {
    "VESTIBULE_AUTH__ACCESS_TOKEN_NAME": "token",
    "VESTIBULE_AUTH__SCHEMES": "Bearer,JWT",
    "VESTIBULE_AUTH__HEADER": "X-Api-Token",
    "VESTIBULE_AUTH__ACCESS_TTL": "5m",
    "VESTIBULE_AUTH__ISSUER": "https://app.example.com",
    "VESTIBULE_AUTH__AUDIENCE": "shop",
}


def play_other_settings(stage):
    with stage.client() as client:
        expect(client.post("/create", json=JOHN), 201)
        answer = expect(client.post("/login", json={"email": "john@doe.com", "password": PASSWORD}), 200)
        holds("access_token" not in answer, f"{answer}")
        token = answer["token"]
        for scheme in ("Bearer", "JWT"):
            greeted = client.get("/", headers={"X-Api-Token": f"{scheme} {token}"})
            same(greeted.text, "hello john@doe.com", scheme)
        expect(client.get("/", headers={"X-Api-Token": f"Basic {token}"}), 401)
        expect(client.get("/", headers=bearer(token)), 401)
        claims = decode(token)[1]
        same((claims["iss"], claims["aud"], claims["exp"] - claims["iat"]), ("https://app.example.com", "shop", 300), "claims")
        for kind, bad in bad_tokens(token, SECRET).items():
            holds(client.get("/", headers={"X-Api-Token": f"Bearer {bad}"}).status_code == 401, kind)


PLAYS = [(VARIABLES, play), (OTHER_SETTINGS, play_other_settings)]
