-- What runs said to services and heard from them, with made-up texts for people's.
CREATE TABLE recording (
    run          BIGINT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    -- whole, failed
    kind         TEXT NOT NULL,
    installation TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    -- JSON.
    content      TEXT NOT NULL,
    PRIMARY KEY (run, kind)
);
CREATE INDEX recording_by_installation ON recording (installation, kind, run);
-- Whether its next run is to be recorded.
ALTER TABLE installation ADD COLUMN record_next BIGINT NOT NULL DEFAULT 0;
