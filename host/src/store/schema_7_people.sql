-- What an account may do: view, operate, administer.
ALTER TABLE account ADD COLUMN role TEXT NOT NULL DEFAULT 'administer';
-- What the browser says that it is, for telling sessions apart.
ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
