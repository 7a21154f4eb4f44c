-- What an account may do: view, operate, administer.
ALTER TABLE account ADD COLUMN role TEXT NOT NULL DEFAULT 'administer';
-- What the browser says that it is, for telling sessions apart.
ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
-- The installation whose service vouches for an account; empty: it has a password here.
ALTER TABLE account ADD COLUMN source TEXT NOT NULL DEFAULT '';

-- Services whose own people may log in here.
CREATE TABLE login_source (
    installation TEXT PRIMARY KEY NOT NULL REFERENCES installation (name) ON DELETE CASCADE,
    connection   TEXT NOT NULL,
    -- JSON: pairs of the service's role and ours.
    roles        TEXT NOT NULL
);
