-- The audit trail. Rows come by COPY, in one transaction with the position, so each event is here once.

CREATE TABLE sightline.position (
    fleet text PRIMARY KEY,
    epoch bigint NOT NULL,  -- id of the last event that was kept or passed over
    n     bigint NOT NULL
);
COMMENT ON TABLE sightline.position IS 'how far the log of each fleet was copied; the writer locks its row';

CREATE TABLE sightline.audit (
    fleet text        NOT NULL,
    epoch bigint      NOT NULL,
    n     bigint      NOT NULL,
    time  timestamptz NOT NULL,
    topic text        NOT NULL,
    kind  text        NOT NULL,
    job   text        NOT NULL,  -- '' when the event is of no job
    body  jsonb       NOT NULL,
    PRIMARY KEY (fleet, epoch, n)
);
COMMENT ON TABLE sightline.audit IS 'job life cycle, alerts, worker joins and losses, in the order of (epoch, n)';
CREATE INDEX audit_job ON sightline.audit (job, epoch, n) WHERE job <> '';
CREATE INDEX audit_time ON sightline.audit USING brin (time);
CREATE INDEX audit_alert ON sightline.audit (fleet, time) WHERE kind = 'alert';

-- Alerts by column; the body of an alert has the field names of the wire's Alert record.
CREATE VIEW sightline.alert AS
SELECT fleet, epoch, n, time, job,
       body->>'alert'                     AS alert,
       body->>'stream'                    AS stream,
       body->>'rule'                      AS rule,
       body->>'class_name'                AS class_name,
       (body->>'frame')::bigint           AS frame,
       (body->>'time_s')::double precision AS time_s,
       (body->'box'->>'score')::real      AS score,
       (body->'box'->>'x')::real          AS x,
       (body->'box'->>'y')::real          AS y,
       (body->'box'->>'width')::real      AS width,
       (body->'box'->>'height')::real     AS height
FROM sightline.audit
WHERE kind = 'alert';
