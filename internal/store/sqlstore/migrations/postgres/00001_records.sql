-- +goose Up
-- Texts that are ordered or compared have the collation "C", which orders by bytes as SQLite does.
-- What is written again and again has room beside it, so that its indexes are not written too.
CREATE TABLE users (
    id          TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    email       TEXT   NOT NULL,
    email_key   TEXT   COLLATE "C" NOT NULL UNIQUE,
    roles       TEXT   NOT NULL, -- a JSON array of strings, as sessions.methods
    data        BYTEA,
    admin_data  BYTEA,
    epoch       TEXT   COLLATE "C" NOT NULL,
    disabled_at BIGINT NOT NULL, -- microseconds since 1970, as every time here; 0 is never
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    session_seq BIGINT NOT NULL DEFAULT 0 -- counts the sessions that were opened, and so tells logins of one another
) WITH (fillfactor = 85);

CREATE TABLE credentials (
    method     TEXT   COLLATE "C" NOT NULL,
    key        TEXT   COLLATE "C" NOT NULL,
    user_id    TEXT   COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    data       BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    PRIMARY KEY (method, key)
);
CREATE INDEX credentials_user ON credentials (user_id);

CREATE TABLE sessions (
    id           TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    user_id      TEXT    COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch        TEXT    COLLATE "C" NOT NULL,
    generation   BIGINT  NOT NULL,
    chain        BYTEA,
    methods      TEXT    NOT NULL,
    brief        BOOLEAN NOT NULL,
    device       TEXT    NOT NULL,
    client       TEXT    NOT NULL,
    auth_at      BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    last_used_at BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    sweep_at     BIGINT  NOT NULL -- not after expires_at: when the sweeper looks at the session
) WITH (fillfactor = 85);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_sweep ON sessions (sweep_at);

-- The one row of revocation_head is written by whoever writes revocations, last before the commit: so positions become
-- visible in their order.
CREATE TABLE revocation_head (
    one      BOOLEAN NOT NULL PRIMARY KEY CHECK (one),
    position BIGINT  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO revocation_head (one, position) VALUES (TRUE, 0);

CREATE TABLE revocations (
    position   BIGINT NOT NULL PRIMARY KEY,
    key        TEXT   COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revocations_expiry ON revocations (expires_at);

CREATE TABLE signing_keys (
    id         TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    algorithm  TEXT   NOT NULL,
    private    BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    signs_at   BIGINT NOT NULL,
    seq        BIGINT NOT NULL -- orders keys as they were written
);
CREATE UNIQUE INDEX signing_keys_seq ON signing_keys (seq);

CREATE TABLE counters (
    key        TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    count      BIGINT NOT NULL,
    last_at    BIGINT NOT NULL,
    known_at   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    version    BIGINT NOT NULL
);
CREATE INDEX counters_expiry ON counters (expires_at);

CREATE TABLE events (
    id         TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
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
    chain      BYTEA -- NULL for an event that is bound to none before it
);

CREATE TABLE secrets (
    name  TEXT  COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Tells the other nodes, when the transaction is committed, that there is something new.
-- +goose StatementBegin
CREATE FUNCTION countersign_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('countersign', '');
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER news AFTER INSERT ON revocations FOR EACH ROW EXECUTE FUNCTION countersign_news();
CREATE TRIGGER news AFTER INSERT OR UPDATE OR DELETE ON signing_keys FOR EACH ROW EXECUTE FUNCTION countersign_news();
CREATE TRIGGER news AFTER INSERT OR UPDATE OR DELETE ON secrets FOR EACH ROW EXECUTE FUNCTION countersign_news();
