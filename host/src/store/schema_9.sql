-- What the last readiness check of an installation found, so that pages and set-up can tell it after a restart too.
CREATE TABLE readiness (
    installation TEXT PRIMARY KEY NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    checked_at   BIGINT NOT NULL,
    -- JSON: the findings.
    findings     TEXT NOT NULL
);
