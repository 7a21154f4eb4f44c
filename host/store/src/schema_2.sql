-- What a person gave with a run: JSON of names and values, long ones cut.
ALTER TABLE run ADD COLUMN options TEXT NOT NULL DEFAULT '[]';

-- The same, whole, for going on after a pause.
ALTER TABLE schedule ADD COLUMN resume_options TEXT NOT NULL DEFAULT '[]';
