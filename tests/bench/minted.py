"""Files with a path and a token a line, for clients that are not all the same."""

import base64
import hmac
import json
import uuid

# Signs in again and again, and keeps the tokens.
SIGN_IN = """
local file = io.open("@lines@", "w")
request = function()
    return wrk.format("POST", "/auth/login", {["Content-Type"] = "application/json"}, '{"email":"@email@","password":"@password@"}')
end
response = function(status, headers, body)
    if status ~= 200 then io.stderr:write("signing in: ", status); os.exit(1) end
    file:write("@path@ ", body:match('"access_token":"([^"]+)"'), "\\n")
end
"""


def write_tokens(path, request_path, token, secret, count):
    """Writes `count` tokens as the gateway that shares `secret` would have issued them: `token` for other users and sessions."""
    header, payload, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    with open(path, "w") as file:
        for _ in range(count):
            claims |= {"sub": str(uuid.uuid4()), "sid": str(uuid.uuid4()), "jti": uuid.uuid4().hex}
            signed = f"{header}.{encoded(json.dumps(claims, separators=(',', ':')).encode())}"
            file.write(f"{request_path} {signed}.{encoded(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}\n")
    return path


def write_paths(path, paths):
    path.write_text("".join(f"{one}\n" for one in paths))
    return path


def encoded(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def count(path):
    with open(path, "rb") as file:
        return sum(1 for _ in file)
