-- What the last readiness check of an installation found, so that pages and set-up can tell it after a restart too.
CREATE TABLE readiness (
    installation TEXT PRIMARY KEY NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    checked_at   BIGINT NOT NULL,
    -- JSON: the findings.
    findings     TEXT NOT NULL
);

-- Every change of a setting or mapping. Of a secret only that it was changed: its value is in neither column.
CREATE TABLE setting_change (
    installation TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    -- From one within the installation.
    number       BIGINT NOT NULL,
    key          TEXT NOT NULL,
    changed_at   BIGINT NOT NULL,
    changed_by   TEXT NOT NULL,
    secret       BIGINT NOT NULL,
    -- None: it was not set, or is not any more.
    before       TEXT,
    after        TEXT,
    PRIMARY KEY (installation, number)
);
