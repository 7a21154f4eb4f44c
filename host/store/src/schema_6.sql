-- What an operator changed about the limits of add-ons. `*`: for all installations.
CREATE TABLE guest_limit (
    scope    TEXT PRIMARY KEY NOT NULL,
    document TEXT NOT NULL
);

-- Each entry counts for some bytes besides its own, so that many small ones are limited too.
UPDATE installation SET stored_bytes = stored_bytes
    + 64 * (SELECT COUNT(*) FROM guest_entry WHERE guest_entry.installation = installation.name);
