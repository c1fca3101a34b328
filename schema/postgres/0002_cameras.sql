-- The registry of cameras, and the zones and rules that were set by name. Kept by the audit writer from the
-- events camera.set, camera.removed and zones.set, in the transaction of their audit rows; read once by a
-- broker whose store never asked (schema/redis/KEYS.md).

CREATE TABLE sightline.cameras (
    fleet    text        NOT NULL,
    camera   text        NOT NULL,
    spec     jsonb       NOT NULL,  -- the registration, with the field names of schema::Camera; no credentials
    revision bigint      NOT NULL,  -- rises with each change
    changed  timestamptz NOT NULL,
    PRIMARY KEY (fleet, camera)
);
COMMENT ON TABLE sightline.cameras IS 'the cameras that are registered now';

CREATE TABLE sightline.zones (
    fleet   text        NOT NULL,
    "of"    text        NOT NULL,  -- a camera, or the path of an input
    zones   jsonb       NOT NULL,
    rules   jsonb       NOT NULL,
    changed timestamptz NOT NULL,
    PRIMARY KEY (fleet, "of")
);
COMMENT ON TABLE sightline.zones IS 'zones and alert rules that were set by name';

-- Alerts by column: those of cameras have more of them.
CREATE OR REPLACE VIEW sightline.alert AS
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
       (body->'box'->>'height')::real     AS height,
       body->>'camera'                    AS camera,
       body->>'kind'                      AS kind,
       body->>'zone'                      AS zone,
       (body->>'capture_ns')::bigint      AS capture_ns,
       (body->>'decided_ns')::bigint      AS decided_ns
FROM sightline.audit
WHERE kind = 'alert';
