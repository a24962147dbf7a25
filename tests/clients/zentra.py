"""A client of a Zentra API's auth routes, as its documentation shows them: each answer to the member."""

import hashlib

from stage import PASSWORD, bad_tokens, bearer, decode, disable, expect, holds, is_signed_with, old_token, same, sign

EXAMPLE = "zentra"
ACCESS, REFRESH = "AUTH__SECRET_ACCESS_KEY of the .env file", "AUTH__SECRET_REFRESH_KEY of the .env file"
VARIABLES = {
    "AUTH__SECRET_ACCESS_KEY": ACCESS,
    "AUTH__SECRET_REFRESH_KEY": REFRESH,
    "AUTH__ALGORITHM": "HS256",
    "AUTH__ACCESS_TOKEN_EXPIRE_MINS": "15",
    "AUTH__REFRESH_TOKEN_EXPIRE_MINS": "10080",
}

AGENT = {"username": "agent47", "password": PASSWORD, "is_active": True}
FORM = {"username": "agent47", "password": PASSWORD}
TOKENS = {"access_token", "refresh_token", "token_type"}


def refused(answer, status, response, message):
    document = expect(answer, status, status="error", code=status, response=response, message=message)
    same(set(document), {"status", "code", "response", "message", "headers"}, "members of a refusal")
    if status == 401:
        holds(document["headers"]["WWW-Authenticate"].startswith("Bearer"), f"{document}")


def unauthenticated(answer):
    refused(answer, 401, "401_UNAUTHORIZED", "Not authenticated.")


def play(stage):
    with stage.client() as client:
        register(client)
        tokens = token(client)
        users_me(client, tokens)
        verify(client, tokens)
        refresh(client, tokens)
        plans(stage, client, tokens)
        from_before(client)
        disable(stage, client, "agent47", "/api/things", tokens["access_token"])
        unauthenticated(client.get(f"/api/auth/token/verify/{tokens['access_token']}"))


def register(client):
    created = expect(client.post("/api/auth/register", json=AGENT), 201)
    same(created, {"status": "success", "code": 201, "response": "201_CREATED", "data": {"username": "agent47"}, "headers": None},
         "a registration")
    taken = client.post("/api/auth/register", json=AGENT)
    refused(taken, 400, "400_BAD_REQUEST", "User already registered.")
    # `is_active` is accepted and has no effect: nobody makes an inactive user, nor keeps one active by it.
    expect(client.post("/api/auth/register", json=AGENT | {"username": "agent48", "is_active": False}), 201)
    expect(client.post("/api/auth/token", data=FORM | {"username": "agent48"}), 202)


def token(client):
    tokens = expect(client.post("/api/auth/token", data=FORM | {"grant_type": "password"}), 202, token_type="bearer")
    same(set(tokens), TOKENS, "members of a token answer")
    same(set(expect(client.post("/api/auth/token", data=FORM), 202)), TOKENS, "without grant_type")
    for wrong in ({"password": "wrong"}, {"username": "nobody"}):
        refused(client.post("/api/auth/token", data=FORM | wrong), 401, "401_UNAUTHORIZED", "Incorrect username or password.")
    for name, minutes in (("access_token", 15), ("refresh_token", 10080)):
        header, claims = decode(tokens[name])
        same((header["alg"], claims["exp"] - claims["iat"]), ("HS256", minutes * 60), name)
    holds(is_signed_with(tokens["access_token"], ACCESS) and is_signed_with(tokens["refresh_token"], REFRESH), "a secret for each")
    return tokens


def users_me(client, tokens):
    me = expect(client.get("/api/auth/users/me", headers=bearer(tokens["access_token"])), 200, response="200_OK", status="success")
    same(me["data"], {"email": None, "phone": None, "full_name": None, "is_active": True, "username": "agent47"}, "own record")
    unauthenticated(client.get("/api/auth/users/me"))
    for _kind, bad in bad_tokens(tokens["access_token"], ACCESS).items():
        unauthenticated(client.get("/api/auth/users/me", headers=bearer(bad)))
    header, claims = decode(tokens["access_token"])
    unauthenticated(client.get("/api/auth/users/me", headers=bearer(sign(header, claims, REFRESH))))


def verify(client, tokens):
    valid = expect(client.get(f"/api/auth/token/verify/{tokens['access_token']}"), 200)
    same(valid, {"status": "success", "code": 200, "response": "200_OK", "message": "Token is valid.", "headers": None}, "verified")
    unauthenticated(client.get("/api/auth/token/verify/not.a.token"))
    unauthenticated(client.get(f"/api/auth/token/verify/{tokens['refresh_token']}"))


def refresh(client, tokens):
    given, path = tokens["refresh_token"], "/api/auth/token/refresh"
    ways = [{"json": {"refresh_token": given}}, {"data": {"refresh_token": given}}, {"params": {"refresh_token": given}}]
    for way in ways:
        renewed = expect(client.post(path, **way), 201, refresh_token=given, token_type="bearer")
        same(set(renewed), TOKENS, "members of a refresh")
        expect(client.get("/api/auth/users/me", headers=bearer(renewed["access_token"])), 200)
    for bad in ("not.a.token", tokens["access_token"], *bad_tokens(given, REFRESH).values()):
        refused(client.post(path, json={"refresh_token": bad}), 401, "401_UNAUTHORIZED", "Invalid refresh token.")


def plans(stage, client, tokens):
    """What Zentra planned: scopes and API keys."""
    access = tokens["access_token"]
    same(client.get("/api/things", headers=bearer(access)).text, "hello agent47", "the app's greeting")
    expect(client.get("/api/things"), 401)
    expect(client.post("/api/docs", headers=bearer(access)), 403)
    stage.operate("user", "set", "agent47", "--role", "editor")
    writer = expect(client.post("/api/auth/token", data=FORM | {"scope": "docs:write"}), 202)["access_token"]
    same(decode(writer)[1]["scope"], "docs:write", "narrowed")
    expect(client.post("/api/docs", headers=bearer(writer)), 200)
    reader = expect(client.post("/api/auth/token", data=FORM | {"scope": "docs:read"}), 202)["access_token"]
    expect(client.post("/api/docs", headers=bearer(reader)), 403)
    wanted = {"name": "a script", "scopes": ["docs:write"]}
    made = expect(client.post("/api/auth/keys", json=wanted, headers=bearer(writer)), 201)["data"]
    same(client.post("/api/docs", headers={"X-Api-Key": made["key"]}).text, "hello agent47", "by key")
    expect(client.delete(f"/api/auth/keys/{made['id']}", headers=bearer(writer)), 204)
    expect(client.post("/api/docs", headers={"X-Api-Key": made["key"]}), 401)


def from_before(client):
    same(client.get("/api/things", headers=bearer(old_token(ACCESS, sub="agent47"))).text, "hello agent47", "a token from before")
    expect(client.get("/api/things", headers=bearer(old_token(REFRESH, sub="agent47"))), 401)


def play_hs512(stage):
    """Another algorithm, and refresh tokens that change with each use."""
    with stage.client() as client:
        expect(client.post("/api/auth/register", json=AGENT), 201)
        tokens = expect(client.post("/api/auth/token", data=FORM), 202)
        header, claims = decode(tokens["access_token"])
        same((header["alg"], claims["exp"] - claims["iat"]), ("HS512", 300), "as the variables say")
        expect(client.get("/api/auth/users/me", headers=bearer(tokens["access_token"])), 200)
        forged = sign(header | {"alg": "HS256"}, claims, ACCESS, hashlib.sha256)
        unauthenticated(client.get("/api/auth/users/me", headers=bearer(forged)))
        renewed = expect(client.post("/api/auth/token/refresh", json={"refresh_token": tokens["refresh_token"]}), 201)
        holds(renewed["refresh_token"] != tokens["refresh_token"], "rotated")


OTHERWISE = VARIABLES | {
    "AUTH__ALGORITHM": "HS512",
    "AUTH__ACCESS_TOKEN_EXPIRE_MINS": "5",
    "VESTIBULE_AUTH__ROTATE_REFRESH": "true",
}

PLAYS = [(VARIABLES, play), (OTHERWISE, play_hs512)]
