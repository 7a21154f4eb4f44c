-- What runs told people counts towards what an installation may keep: activities, reports, lines of logs, outcomes. Each counts
-- for some bytes besides its own.
ALTER TABLE installation ADD COLUMN told_bytes BIGINT NOT NULL DEFAULT 0;
UPDATE installation SET told_bytes =
    (SELECT CAST(COALESCE(SUM(64 + OCTET_LENGTH(entity) + OCTET_LENGTH(action) + OCTET_LENGTH(local_id) + OCTET_LENGTH(remote_id)
        + OCTET_LENGTH(customer_id) + OCTET_LENGTH(label) + OCTET_LENGTH(code) + OCTET_LENGTH(message) + OCTET_LENGTH(more)), 0)
        AS BIGINT) FROM activity WHERE activity.installation = installation.name)
    + (SELECT CAST(COALESCE(SUM(64 + OCTET_LENGTH(row_id) + OCTET_LENGTH(cells) + OCTET_LENGTH(run_report.more)), 0) AS BIGINT)
        FROM run_report JOIN run ON run.id = run_report.run WHERE run.installation = installation.name)
    + (SELECT CAST(COALESCE(SUM(64 + OCTET_LENGTH(message)), 0) AS BIGINT)
        FROM run_log JOIN run ON run.id = run_log.run WHERE run.installation = installation.name)
    + (SELECT CAST(COALESCE(SUM(OCTET_LENGTH(outcome)), 0) AS BIGINT) FROM run WHERE run.installation = installation.name);
