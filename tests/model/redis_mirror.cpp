#include "tests/model/redis_mirror.hpp"

namespace sl::model {
namespace {

constexpr std::size_t change_leader_every = 250;

// The writes that make records `to` of records `from`.
std::vector<store::Write> difference(const store::Records& from, const store::Records& to) {
    using Kind = store::Write::Kind;
    std::vector<store::Write> writes;
    for (const auto& [record, fields] : from) {
        const auto kept = to.find(record);
        if (kept == to.end()) {
            writes.push_back({Kind::erase_record, record, "", ""});
            continue;
        }
        for (const auto& [field, value] : fields)
            if (!kept->second.contains(field)) writes.push_back({Kind::erase_field, record, field, ""});
    }
    for (const auto& [record, fields] : to)
        for (const auto& [field, value] : fields) {
            const auto known = from.find(record);
            const auto old = known == from.end() ? fields.end() : known->second.find(field);
            if (known == from.end() || old == known->second.end() || old->second != value)
                writes.push_back({Kind::set, record, field, value});
        }
    return writes;
}

}  // namespace

// What is durable when power fails is not asked here, and it would be most of the time that this takes.
RedisMirror::RedisMirror() : server_({"--appendfsync", "no"}) {
    take_over();
    take_over();  // so that there is an old leader from the start
    takeovers_ = 0;
}

void RedisMirror::take_over() {
    Leader next;
    next.name = "broker-" + std::to_string(takeovers_);
    auto made = store::redis_store({server_.url(), "model", 20'000});
    require(bool(made), "the store can be opened");
    next.store = std::move(*made);
    if (leader_.store) require(bool(leader_.store->resign(leader_.name)), "a leader may resign");
    const auto lead = next.store->lead(next.name, 3'600'000);
    require(lead && lead->leads, "who asks for a free lead gets it");
    require(lead->epoch > leader_.epoch, "epochs rise");
    next.epoch = lead->epoch;
    old_ = std::move(leader_);
    leader_ = std::move(next);
    ++takeovers_;
}

void RedisMirror::commit(store::Batch batch, const std::string& what) {
    batch.epoch = leader_.epoch;
    batch.number = ++leader_.number;
    const auto done = leader_.store->commit(batch);
    require(bool(done), what + (done ? "" : ": " + done.error().text()));
}

void RedisMirror::move_to(const store::Records& records) {
    auto writes = difference(now_, records);
    if (!writes.empty()) commit({0, 0, std::move(writes), {}}, "the state before is committed");
    now_ = records;
}

void RedisMirror::transition(const store::Records& before, const Journal& journal,
                             const store::Records& after) {
    if (journal.empty()) return;  // nothing goes to the store
    if (++transitions_ % change_leader_every == 0) take_over();
    move_to(before);
    store::Batch batch{0, 0, journal.writes, journal.log};
    const store::LogId from = last_;
    for (auto& entry : batch.log) {  // ids are the log's of this server
        if (last_.epoch != leader_.epoch) last_ = {leader_.epoch, 0};
        ++last_.n;
        entry.id = last_;
    }
    store::Batch late = batch;  // of the leader that was replaced meanwhile
    late.epoch = old_.epoch;
    late.number = old_.number + 1;
    late.writes.push_back({store::Write::Kind::set, "late", "late", "1"});
    const auto refused = old_.store->commit(late);
    require(!refused && refused.error().code == Errc::stale, "an old leader's commit is refused");
    commit(batch, "a batch of the leader is committed");
    batch.epoch = leader_.epoch;
    batch.number = leader_.number;
    require(bool(leader_.store->commit(batch)), "a batch that is sent again is ok");
    require(*leader_.store->load() == after,
            "Redis holds what the journal says, and nothing of the old leader");
    const auto log = leader_.store->read_log(from, 100);
    require(log && log->size() == batch.log.size(), "the log holds each entry once");
    for (std::size_t i = 0; i < log->size(); ++i)
        require((*log)[i].id == batch.log[i].id && (*log)[i].kind == batch.log[i].kind &&
                    (*log)[i].body == batch.log[i].body && (*log)[i].job == batch.log[i].job,
                "the log holds what was written");
    if (transitions_ % 16 == 0) require(bool(leader_.store->trim_log(last_)), "the log can be trimmed");
    now_ = after;
}

}  // namespace sl::model
