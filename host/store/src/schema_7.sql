-- The master key that every sealed secret is sealed with: one row, once there is one. The key itself is never here.
CREATE TABLE master_key (
    id             TEXT PRIMARY KEY NOT NULL,
    -- The key of all stored fingerprints, sealed with the master key: it outlives it.
    fingerprinting BLOB NOT NULL,
    since_at       BIGINT NOT NULL
);
