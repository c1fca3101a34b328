#include "tests/model/world.hpp"

#include <nlohmann/json.hpp>

namespace sl::model {

using broker::ChunkState;
using broker::JobState;
using broker::Stream;
using broker::Unit;
using Json = nlohmann::json;

void require(bool holds, const std::string& what) {
    if (!holds) throw Violation(what);
}

namespace {

// What matters of a record's field: random numbers, times, names of workers and counts of attempts by whether
// they are there.
void forget_chance(Json& value) {
    if (value.is_array())
        for (auto& v : value) forget_chance(v);
    if (!value.is_object()) return;
    for (auto it = value.begin(); it != value.end(); ++it) {
        const std::string& key = it.key();
        if (key == "path")
            it.value() = "";  // of parts: attempt and nonce are in it
        else if (key == "nonce" || key.ends_with("_ns"))
            it.value() = it->is_number() && *it != 0;
        else if (key == "holder")
            it.value() = *it != "";
        else if (key == "last_error")
            it.value() = "";
        else if (key == "retries" || key == "attempts")
            it.value() = *it != 0;
        else if (key == "attempt" && it->is_number())
            it.value() = std::min<std::int64_t>(it->get<std::int64_t>(), 2);  // 2: there are old tokens
        else if (key == "state" && (*it == "done" || *it == 3))
            value["attempt"] = true;  // how often it was tried makes no difference any more
        else
            forget_chance(*it);
    }
}

std::uint64_t canonical_hash(const std::string& field, const std::string& value) {
    const std::hash<std::string> hash;
    if (field.starts_with("S/") || field.starts_with("D/")) return hash(field + value);
    Json json = Json::from_msgpack(value, true, false);
    if (json.is_discarded()) return hash(field + value);  // the fleet's own records are text
    forget_chance(json);
    return hash(field + json.dump());
}

bool terminal(const std::string& kind) {
    return kind == "job.succeeded" || kind == "job.failed" || kind == "job.canceled";
}

}  // namespace

std::uint64_t digest(const Journal& journal) {
    std::string all;
    for (const auto& w : journal.writes)
        all += w.record + "/" + w.field + "=" +
               (w.value.empty() ? "" : std::to_string(canonical_hash(w.field, w.value))) + "\n";
    for (const auto& e : journal.log) all += e.kind + "\n";
    return std::hash<std::string>()(all);
}

schema::Bytes state_before(std::int32_t stream, std::int64_t seq) {
    schema::StreamState s;
    if (seq > 0) s.detected = 100 * stream + seq;
    return schema::encode(s);
}
schema::Bytes detections_of(std::int32_t stream, std::int64_t seq) {
    schema::Detections d;
    d.dropped = 100 * stream + seq;
    return schema::encode(d);
}

const Job* World::job(const std::string& id) const {
    const auto it = table.jobs().find(id);
    return it == table.jobs().end() ? nullptr : &it->second;
}

std::uint64_t World::digest() const {
    std::uint64_t h = 17;
    const auto mix = [&](std::uint64_t v) { h = (h ^ v) * 0x9E3779B97F4A7C15u, h ^= h >> 29; };
    for (const auto& [field, hash] : canonical) {
        const auto slash = field.find('/');
        const auto at = table.jobs().find(field.substr(std::min(slash, std::size_t(4)), slash - 4));
        // Of an ended job's chunks nothing is asked any more but what became of them.
        if (at != table.jobs().end() && broker::is_terminal(at->second.state) &&
            field.compare(slash, 7, "/chunk/") == 0)
            continue;
        mix(hash);
    }
    for (const auto& [id, job] : table.jobs())
        for (const auto& s : job.streams)
            for (const auto& c : s.chunks) mix(std::uint64_t(c.state));
    mix(opened);
    for (const auto& t : table.outbox().targets()) {
        mix(std::uint64_t(t.unit.state));
        mix(t.waiting.size());
    }
    return h;
}

void World::commit(const Journal& journal) {
    for (const auto& w : journal.writes) {
        const std::string name = w.record + "/" + w.field;
        if (w.kind == store::Write::Kind::set) {
            if (w.field.starts_with("S/") || w.field.starts_with("D/")) {
                const auto slash = w.field.find('/', 2);
                const auto i = std::stoi(w.field.substr(2, slash - 2));
                const auto k = std::stoll(w.field.substr(slash + 1));
                const auto value = w.field[0] == 'S' ? state_before(i, k) : detections_of(i, k);
                require(w.value == std::string(value.begin(), value.end()), "one value per " + w.field);
            }
            records[w.record][w.field] = w.value;
            canonical[name] = canonical_hash(w.field, w.value);
        } else if (w.kind == store::Write::Kind::erase_field) {
            if (auto record = records.find(w.record); record != records.end()) {
                record->second.erase(w.field);
                if (record->second.empty()) records.erase(record);
            }
            canonical.erase(name);
        } else {
            records.erase(w.record);
            std::erase_if(canonical, [&](const auto& c) { return c.first.starts_with(w.record + "/"); });
        }
    }
    for (const auto& e : journal.log) {
        require(last_id < e.id, "log ids rise: " + e.id.text() + " after " + last_id.text());
        last_id = e.id;
        if (e.kind == "alert") alerts.push_back(e);
        if (e.job.empty()) continue;
        int& ends = terminal_events[e.job];
        if (e.kind == "job.forgotten") {
            require(ends == 1, "what is forgotten has ended");
            terminal_events.erase(e.job);
            std::erase_if(tokens, [&](const Token& t) { return t.job == e.job; });
            continue;
        }
        if (e.kind == "job.retried") {
            ends = 0;
            continue;
        }
        require(ends == 0, e.kind + " comes after the job's terminal event");
        ends += terminal(e.kind);
    }
}

void World::fail_over(std::uint64_t epoch) {
    JobTable next(epoch, last_id);
    const auto loaded = next.load(records);
    require(bool(loaded), loaded ? "" : "the records can be loaded: " + loaded.error().text());
    next.load_undelivered(alerts);
    open_targets(next);
    table = std::move(next);
}

void World::open_targets(JobTable& loaded) const {
    if (!opened) return;
    Journal journal;
    require(loaded.deliver_to(targets(), journal).empty(), "every target is configured still");
    require(journal.empty(), "the places of targets are in the records");
}

const broker::OutboxOptions& targets() {
    static const broker::OutboxOptions one = [] {
        broker::OutboxOptions o;
        o.targets = {{"log", "log", {}}};  // they share nothing: a second only multiplies the states
        return o;
    }();
    return one;
}

}  // namespace sl::model
