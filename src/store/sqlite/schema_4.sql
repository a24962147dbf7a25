-- Version 4. Mails that wait to be sent. `email_key` may be nobody's: that is found out when a mail is claimed. `claim` is the digest
-- of the token that its sender carries. No token stands here in clear: each attempt to send makes one.
CREATE TABLE mails (
    purpose      TEXT NOT NULL,
    email_key    TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    claim        BLOB UNIQUE,
    PRIMARY KEY (purpose, email_key)
) STRICT;

CREATE INDEX mails_by_due ON mails (due_at);

-- What was sent to somebody's address, to be shown once. A user who goes, or whose address does, takes theirs along.
CREATE TABLE one_time_tokens (
    hash       BLOB NOT NULL PRIMARY KEY,
    purpose    TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX one_time_tokens_by_user ON one_time_tokens (user_id);
CREATE INDEX one_time_tokens_by_expiry ON one_time_tokens (expires_at);
