-- Version 1. Times are milliseconds since 1970, ids are text, roles a JSON array.
-- The application id reads "VSTB": a file of another program is refused, not written to.
PRAGMA application_id = 1448301634;

CREATE TABLE users (
    id                  TEXT NOT NULL PRIMARY KEY,
    email               TEXT,
    email_key           TEXT UNIQUE,
    username            TEXT,
    username_key        TEXT UNIQUE,
    first_name          TEXT,
    last_name           TEXT,
    full_name           TEXT,
    phone               TEXT,
    roles               TEXT NOT NULL,
    is_active           INTEGER NOT NULL,
    email_verified      INTEGER NOT NULL,
    password_hash       TEXT,
    password_changed_at INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL
) STRICT;

-- No ON DELETE CASCADE: a session that ends leaves a line in `changes`, so nothing may remove one silently.
CREATE TABLE sessions (
    id                TEXT NOT NULL PRIMARY KEY,
    user_id           TEXT NOT NULL REFERENCES users (id),
    created_at        INTEGER NOT NULL,
    last_used_at      INTEGER NOT NULL,
    ip                TEXT NOT NULL,
    user_agent        TEXT NOT NULL,
    refresh_current   BLOB NOT NULL,
    refresh_previous  BLOB,
    rotated_at        INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    access_expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE keys (
    kid        TEXT NOT NULL PRIMARY KEY,
    algorithm  TEXT NOT NULL,
    private    BLOB NOT NULL,
    sealed     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

-- AUTOINCREMENT: a number once given is never given again, even after pruning, so a reader's position stays true.
CREATE TABLE changes (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    at             INTEGER NOT NULL,
    kind           TEXT NOT NULL,
    session_id     TEXT,
    user_id        TEXT,
    remember_until INTEGER
) STRICT;

CREATE INDEX changes_by_time ON changes (at);
