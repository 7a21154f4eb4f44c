-- Who changed what of the host itself, besides settings; never changed afterwards.
CREATE TABLE host_change (
    -- From one.
    number     BIGINT PRIMARY KEY NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    -- account, alert channel, connection, …
    what       TEXT NOT NULL,
    name       TEXT NOT NULL,
    -- None: it was not there.
    before     TEXT,
    -- None: it was removed.
    after      TEXT
);
