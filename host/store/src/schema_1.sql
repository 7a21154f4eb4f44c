-- The first schema. Types are TEXT, BIGINT and BLOB only: every database that the host will speak to has them or a
-- plain equivalent. Instants are milliseconds since the Unix epoch (column names end in _at); dates are YYYY-MM-DD.

-- Growing numbers (run ids, activity ids), taken in the transaction that uses them, so that a reader who remembers the
-- highest one it saw misses nothing.
CREATE TABLE counter (
    name  TEXT PRIMARY KEY NOT NULL,
    value BIGINT NOT NULL
);

CREATE TABLE package (
    sha256 TEXT PRIMARY KEY NOT NULL,
    bytes  BLOB NOT NULL
);

CREATE TABLE addon_version (
    addon        TEXT NOT NULL,
    sha256       TEXT NOT NULL REFERENCES package (sha256),
    version      TEXT NOT NULL,
    manifest     TEXT NOT NULL,
    installed_at BIGINT NOT NULL,
    installed_by TEXT NOT NULL,
    active       BIGINT NOT NULL,
    PRIMARY KEY (addon, sha256)
);

CREATE TABLE installation (
    name         TEXT PRIMARY KEY NOT NULL,
    addon        TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    created_on   TEXT NOT NULL,
    state        BIGINT NOT NULL,
    -- Bytes of keys and values in guest_entry, kept exact by every commit.
    stored_bytes BIGINT NOT NULL
);

CREATE TABLE setting (
    installation TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    key          TEXT NOT NULL,
    -- Exactly one of the two is there: plain text, or what the vault made of a secret.
    plain        TEXT,
    sealed       BLOB,
    changed_at   BIGINT NOT NULL,
    changed_by   TEXT NOT NULL,
    PRIMARY KEY (installation, key)
);

CREATE TABLE connection_override (
    installation TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    connection   TEXT NOT NULL,
    document     TEXT NOT NULL,
    PRIMARY KEY (installation, connection)
);

-- The guest's ordered tables. Keys must compare by bytes.
CREATE TABLE guest_entry (
    installation TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    collection   TEXT NOT NULL,
    key          TEXT NOT NULL,
    value        TEXT NOT NULL,
    PRIMARY KEY (installation, collection, key)
);

CREATE TABLE activity (
    id           BIGINT PRIMARY KEY NOT NULL,
    installation TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    run          BIGINT,
    at           BIGINT NOT NULL,
    entity       TEXT NOT NULL,
    action       TEXT NOT NULL,
    local_id     TEXT NOT NULL,
    remote_id    TEXT NOT NULL,
    customer_id  TEXT NOT NULL,
    label        TEXT NOT NULL,
    code         TEXT NOT NULL,
    message      TEXT NOT NULL,
    more         TEXT NOT NULL
);
CREATE INDEX activity_by_installation ON activity (installation, id);
CREATE INDEX activity_by_customer ON activity (installation, customer_id, id);

CREATE TABLE run (
    id             BIGINT PRIMARY KEY NOT NULL,
    installation   TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    job            TEXT NOT NULL,
    started_by     TEXT NOT NULL,
    actor          TEXT NOT NULL,
    preview        BIGINT NOT NULL,
    package_sha256 TEXT NOT NULL,
    state          TEXT NOT NULL,
    started_at     BIGINT NOT NULL,
    seen_at        BIGINT NOT NULL,
    ended_at       BIGINT,
    stop_requested BIGINT NOT NULL,
    stage          TEXT NOT NULL,
    done           BIGINT NOT NULL,
    total          BIGINT NOT NULL,
    -- JSON of the outcome, once there is one.
    outcome        TEXT
);
CREATE INDEX run_by_installation ON run (installation, id);
CREATE INDEX run_by_state ON run (state, seen_at);

CREATE TABLE run_log (
    run     BIGINT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    number  BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    level   TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE TABLE run_report (
    run    BIGINT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    kind   TEXT NOT NULL,
    number BIGINT NOT NULL,
    row_id TEXT NOT NULL,
    cells  TEXT NOT NULL,
    more   TEXT NOT NULL,
    PRIMARY KEY (run, kind, number)
);

-- One row for each installation that ever wrote. The row outlives the lease: its fence only grows.
CREATE TABLE lease (
    installation TEXT PRIMARY KEY NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    run          BIGINT NOT NULL,
    fence        BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);

-- Governor state by what the service counts; belongs to no installation.
CREATE TABLE bucket (
    key   TEXT PRIMARY KEY NOT NULL,
    state TEXT NOT NULL
);

CREATE TABLE nonce (
    key  TEXT PRIMARY KEY NOT NULL,
    last BIGINT NOT NULL
);

CREATE TABLE schedule (
    installation  TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    job           TEXT NOT NULL,
    last_start_at BIGINT,
    resume_at     BIGINT,
    PRIMARY KEY (installation, job)
);

CREATE TABLE account (
    name          TEXT PRIMARY KEY NOT NULL,
    password_hash TEXT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE session (
    -- A hash of the cookie: who reads the database cannot log in with it.
    token_hash TEXT PRIMARY KEY NOT NULL,
    account    TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
