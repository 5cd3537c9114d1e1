-- +goose Up
CREATE TABLE users (
    id          TEXT   NOT NULL PRIMARY KEY,
    email       TEXT   NOT NULL,
    email_key   TEXT   NOT NULL UNIQUE,
    disabled_at BIGINT NOT NULL DEFAULT 0, -- microseconds since 1970, as every time here; 0 is never
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    version     BIGINT NOT NULL
);

CREATE TABLE credentials (
    method     TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    data       BLOB   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    PRIMARY KEY (method, key)
);
CREATE INDEX credentials_user ON credentials (user_id);

CREATE TABLE signing_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    algorithm  TEXT   NOT NULL,
    private    BLOB   NOT NULL,
    created_at BIGINT NOT NULL
);
