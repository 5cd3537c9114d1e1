-- +goose Up
CREATE TABLE counters (
    key        TEXT   NOT NULL PRIMARY KEY,
    count      BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    known_at   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    version    BIGINT NOT NULL
);
CREATE INDEX counters_expiry ON counters (expires_at);

CREATE TABLE events (
    id         TEXT   NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    result     TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    user_id    TEXT   NOT NULL, -- no reference: what a user did outlives the user
    subject    TEXT   NOT NULL,
    method     TEXT   NOT NULL,
    client     TEXT   NOT NULL,
    request_id TEXT   NOT NULL,
    count      BIGINT NOT NULL,
    chain      BLOB -- NULL for an event that is bound to none before it
);

CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);
