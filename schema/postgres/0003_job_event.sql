-- What happened to jobs, a row an event and job. Small jobs come many in one row of the trail: kind
-- `jobs.started`, with their ids in its body.
CREATE VIEW sightline.job_event AS
SELECT fleet, epoch, n, time, topic, kind, job, body
FROM sightline.audit
WHERE job <> ''
UNION ALL
SELECT fleet, epoch, n, time, 'job.' || each.id || '.state', 'job.' || substr(kind, 6), each.id, body - 'jobs'
FROM sightline.audit, jsonb_array_elements_text(body->'jobs') AS each (id)
WHERE topic = 'jobs.noop';
COMMENT ON VIEW sightline.job_event IS 'every event of every job, in the order of (epoch, n)';
CREATE INDEX audit_small_jobs ON sightline.audit (fleet, time) WHERE topic = 'jobs.noop';
