-- Version 2. `profile` is a JSON object of fields that the configuration declares; `external_id` is what the system that a
-- user came from called them.
ALTER TABLE users ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
ALTER TABLE users ADD COLUMN external_id TEXT;
CREATE UNIQUE INDEX users_by_external_id ON users (external_id);

-- The scopes that a sign-in asked for; without any it has all that its user's roles grant.
ALTER TABLE sessions ADD COLUMN scopes TEXT;

-- Of a key of a user only a digest is kept. Users who go take theirs with them; the line that `changes` has of them tells of both.
CREATE TABLE api_keys (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash         BLOB NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
) STRICT;

CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at);
