-- Where people are told of what needs them.
CREATE TABLE alert_channel (
    name         TEXT PRIMARY KEY NOT NULL,
    -- Of which it tells; none: of all.
    installation TEXT REFERENCES installation (name) ON DELETE CASCADE,
    -- JSON: how it is reached.
    terms        TEXT NOT NULL,
    -- What of that is secret.
    sealed       BLOB
);

-- What was seen and told so far; one row.
CREATE TABLE alert_watch (
    id   BIGINT PRIMARY KEY NOT NULL,
    -- JSON.
    past TEXT NOT NULL
);

-- What is to be told, or was, one row for each channel.
CREATE TABLE alert_message (
    id          BIGINT PRIMARY KEY NOT NULL,
    channel     TEXT NOT NULL REFERENCES alert_channel (name) ON DELETE CASCADE,
    made_at     BIGINT NOT NULL,
    -- JSON.
    letter      TEXT NOT NULL,
    -- waiting, sent, given-up
    state       TEXT NOT NULL,
    attempts    BIGINT NOT NULL,
    -- Not tried before; a host that takes it moves it on, so that its death gives it back.
    next_at     BIGINT NOT NULL,
    sent_at     BIGINT,
    -- Why the last attempt failed.
    error       TEXT
);
CREATE INDEX alert_message_next ON alert_message (state, next_at);
