-- +goose Up
-- With a default, so that nodes of the version before can go on writing events while others start.
ALTER TABLE events ADD COLUMN actor TEXT NOT NULL DEFAULT ''; -- who did it, when it was not the user concerned
