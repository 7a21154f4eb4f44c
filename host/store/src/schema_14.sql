-- The second factor of accounts that have a password here.
CREATE TABLE second_factor (
    account  TEXT PRIMARY KEY NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    -- What codes are made from, sealed.
    sealed   BLOB NOT NULL,
    -- 1: a first code has proven it; 0: it is not asked for yet.
    proven   BIGINT NOT NULL,
    -- The last time step whose code was taken; no code of it or of one before is taken again.
    counted  BIGINT NOT NULL,
    since_at BIGINT NOT NULL
);
