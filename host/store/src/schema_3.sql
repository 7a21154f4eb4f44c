-- Which host works on a run: machine, process, and since when.
ALTER TABLE run ADD COLUMN host TEXT NOT NULL DEFAULT '';
-- How long its last sign of life counts; a running run beyond it has lost its host.
ALTER TABLE run ADD COLUMN alive_until BIGINT NOT NULL DEFAULT 0;
-- JSON of its options, whole, while it runs: for going on where its host dies. None: it is not gone on with.
ALTER TABLE run ADD COLUMN whole_options TEXT;

-- When a backup was put back: what is stored here may be older than the world.
ALTER TABLE installation ADD COLUMN restored_at BIGINT;
