// What the camera table keeps in the store: one record "camera:{id}" a camera, and the record "zones", its
// fields as msgpack maps (schema/redis/KEYS.md section "Records"). Field "state" is the state as its home
// packed it. Add optional keys only.
#pragma once

#include "broker/job_records.hpp"
#include "schema/live.hpp"

namespace sl::broker {

struct CameraRecord {  // field "camera"
    schema::Camera camera;
    schema::JobSpec spec;  // resolved; without the zones and rules that were set by name
    MSGPACK_DEFINE_MAP(camera, spec)
};

struct CameraLeasesRecord {  // field "leases"
    UnitRecord camera, watch;
    std::int64_t session = 0;
    std::int64_t revision = 0;  // of the tasks
    std::string told;           // the last event of its kind: "online" "offline"; empty: none
    bool dropping = false;
    MSGPACK_DEFINE_MAP(camera, watch, session, revision, told, dropping)
};

struct CameraStepRecord {  // field "step"
    std::int64_t step = 0;
    schema::Counters before, counters;  // of former sessions, of this one
    double latency_ms = 0;
    MSGPACK_DEFINE_MAP(step, before, counters, latency_ms)
};

struct ZonesRecord {  // of the record "zones": one field a name
    std::vector<schema::Zone> zones;
    std::vector<schema::Rule> rules;
    MSGPACK_DEFINE_MAP(zones, rules)
    bool operator==(const ZonesRecord&) const = default;
};

}  // namespace sl::broker
