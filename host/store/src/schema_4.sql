-- Who signed a package, and how far its add-on has come here: what is older does not come back as an update.
ALTER TABLE addon_version ADD COLUMN serial BIGINT NOT NULL DEFAULT 0;
-- As the package bore it, and the id of the trusted key that it was made with; empty: it was taken unsigned.
ALTER TABLE addon_version ADD COLUMN signature TEXT NOT NULL DEFAULT '';
ALTER TABLE addon_version ADD COLUMN signed_by TEXT NOT NULL DEFAULT '';
-- Why nothing runs it any more, where it was left behind by a roll-back.
ALTER TABLE addon_version ADD COLUMN withdrawn TEXT NOT NULL DEFAULT '';

-- The package that an installation stays at; empty: its add-on's active one.
ALTER TABLE installation ADD COLUMN pinned TEXT NOT NULL DEFAULT '';

CREATE TABLE trusted_key (
    id         TEXT PRIMARY KEY NOT NULL,
    public_key TEXT NOT NULL,
    name       TEXT NOT NULL,
    added_at   BIGINT NOT NULL,
    added_by   TEXT NOT NULL
);

-- An installation's tables as they were before its state was last migrated.
CREATE TABLE guest_snapshot (
    installation TEXT NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    collection   TEXT NOT NULL,
    key          TEXT NOT NULL,
    value        TEXT NOT NULL,
    PRIMARY KEY (installation, collection, key)
);
