-- +goose Up
ALTER TABLE events ADD COLUMN actor TEXT NOT NULL DEFAULT ''; -- who did it, when it was not the user concerned
