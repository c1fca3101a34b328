// How the camera table is written to the store's records and read back (camera_records.hpp).
#include "broker/camera_table.hpp"
#include "schema/codec.hpp"

namespace sl::broker {
namespace {

std::span<const std::uint8_t> bytes_of(const std::string& s) {
    return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

void put(Journal& j, const std::string& record, const std::string& field, const schema::Bytes& value) {
    j.writes.push_back({store::Write::Kind::set, record, field, std::string(value.begin(), value.end())});
    j.bytes += value.size();
}

UnitRecord record_of(const Unit& u) {
    return {std::int32_t(u.state), u.token.attempt, u.token.nonce, u.holder, {}};
}

void restore(Unit& u, const UnitRecord& r, const std::string& camera, const char* name) {
    u.state = r.state >= 0 && r.state <= 2 ? Unit::State(r.state) : Unit::State::none;
    u.token = {camera, name, -1, 0, r.attempt, r.nonce};
    u.holder = r.holder;
}

// The field as its record; a missing one leaves the default.
template <typename T>
Result<T> read(const std::string& record, const std::map<std::string, std::string>& fields,
               const char* field) {
    const auto at = fields.find(field);
    if (at == fields.end()) return T{};
    return schema::decode<T>(bytes_of(at->second), record + " " + field);
}

}  // namespace

void CameraTable::write_camera(const LiveCamera& c, Journal& j) const {
    put(j, "camera:" + c.id(), "camera", schema::encode(CameraRecord{c.camera, c.spec}));
}

void CameraTable::write_leases(const LiveCamera& c, Journal& j) const {
    const CameraLeasesRecord r{
        record_of(c.connection), record_of(c.watch), c.session, c.revision, c.told, c.dropping};
    put(j, "camera:" + c.id(), "leases", schema::encode(r));
}

void CameraTable::write_step(const LiveCamera& c, Journal& j) const {
    put(j, "camera:" + c.id(), "step",
        schema::encode(CameraStepRecord{c.step, c.before, c.counters, c.latency_ms}));
    put(j, "camera:" + c.id(), "state", c.state);
}

void CameraTable::write_zones(const std::string& of, Journal& j) const {
    if (const auto at = zones_.find(of); at != zones_.end())
        put(j, "zones", of, schema::encode(at->second));
    else
        j.writes.push_back({store::Write::Kind::erase_field, "zones", of, ""});
}

void CameraTable::know_registry(Journal& j) {
    registry_known_ = true;
    j.writes.push_back({store::Write::Kind::set, "fleet", "registry", "1"});
}

Result<void> CameraTable::load(const store::Records& records, Clock::time_point now) {
    for (const auto& [record, fields] : records) {
        if (record == "fleet") registry_known_ = fields.contains("registry");
        if (record == "zones") {
            for (const auto& [of, bytes] : fields) {
                auto zones = schema::decode<ZonesRecord>(bytes_of(bytes), "zones " + of);
                if (!zones) return zones.error();
                zones_[of] = std::move(*zones);
            }
        }
        if (!record.starts_with("camera:") || !fields.contains("camera")) continue;
        auto set = read<CameraRecord>(record, fields, "camera");
        auto leases = read<CameraLeasesRecord>(record, fields, "leases");
        auto step = read<CameraStepRecord>(record, fields, "step");
        if (!set) return set.error();
        if (!leases) return leases.error();
        if (!step) return step.error();
        LiveCamera& c = cameras_[set->camera.camera];
        c.camera = std::move(set->camera);
        c.spec = std::move(set->spec);
        restore(c.connection, leases->camera, c.id(), "camera");
        restore(c.watch, leases->watch, c.id(), "watch");
        c.session = c.watch.token.seq = leases->session;
        c.revision = leases->revision;
        c.told = leases->told;
        c.dropping = leases->dropping;
        c.step = step->step;
        c.before = std::move(step->before);
        c.counters = std::move(step->counters);
        c.latency_ms = step->latency_ms;
        if (const auto state = fields.find("state"); state != fields.end())
            c.state.assign(state->second.begin(), state->second.end());
        // Workers that hold it get time to say so.
        c.served = c.sent = now;
    }
    return {};
}

}  // namespace sl::broker
