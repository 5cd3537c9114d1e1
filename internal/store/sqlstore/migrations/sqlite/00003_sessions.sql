-- +goose Up
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '[]'; -- a JSON array of strings, as sessions.methods
ALTER TABLE users ADD COLUMN data BLOB;
ALTER TABLE users ADD COLUMN admin_data BLOB;
ALTER TABLE users ADD COLUMN epoch TEXT NOT NULL DEFAULT '';
UPDATE users SET epoch = lower(hex(randomblob(16)));

CREATE TABLE sessions (
    id           TEXT    NOT NULL PRIMARY KEY,
    user_id      TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch        TEXT    NOT NULL,
    generation   BIGINT  NOT NULL,
    chain        BLOB,
    methods      TEXT    NOT NULL,
    brief        BOOLEAN NOT NULL,
    device       TEXT    NOT NULL,
    client       TEXT    NOT NULL,
    auth_at      BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    last_used_at BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    sweep_at     BIGINT  NOT NULL -- not after expires_at: when the sweeper looks at the session
);
-- Neither has a column that changes when a session is used, so that a use writes one page and not five.
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_sweep ON sessions (sweep_at);

CREATE TABLE revocations (
    position   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- which never gives one twice, even when the table was empty meanwhile
    key        TEXT    NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX revocations_expiry ON revocations (expires_at);

ALTER TABLE signing_keys ADD COLUMN signs_at BIGINT NOT NULL DEFAULT 0;
UPDATE signing_keys SET signs_at = created_at;
ALTER TABLE signing_keys ADD COLUMN seq BIGINT NOT NULL DEFAULT 0; -- orders keys as they were written
UPDATE signing_keys SET seq = (SELECT count(*) FROM signing_keys AS k
    WHERE k.created_at < signing_keys.created_at OR (k.created_at = signing_keys.created_at AND k.id <= signing_keys.id));
CREATE UNIQUE INDEX signing_keys_seq ON signing_keys (seq);
