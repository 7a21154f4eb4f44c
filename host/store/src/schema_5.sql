-- Messages that services sent to the host: each kept for days by its digest, so that a second delivery is known.
CREATE TABLE hook_event (
    installation TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    hook         TEXT NOT NULL,
    -- SHA-256 of the raw body.
    digest       TEXT NOT NULL,
    -- What it is about; empty: messages are not told apart.
    record       TEXT NOT NULL,
    received_at  BIGINT NOT NULL,
    -- waiting, superseded, dropped, handed
    state        TEXT NOT NULL,
    -- There while it waits.
    body         TEXT,
    -- A host is about to hand it to a run: until then it is that host's.
    taken_until  BIGINT NOT NULL DEFAULT 0,
    -- The run that it was handed to.
    run          BIGINT,
    PRIMARY KEY (installation, hook, digest)
);
CREATE INDEX hook_event_by_state ON hook_event (state, installation, hook, received_at);

CREATE TABLE hook (
    installation TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    hook         TEXT NOT NULL,
    -- Since when messages are dropped and the flood's job is due.
    flood_at     BIGINT,
    -- Messages without the right signature.
    refused      BIGINT NOT NULL,
    refused_at   BIGINT,
    PRIMARY KEY (installation, hook)
);
