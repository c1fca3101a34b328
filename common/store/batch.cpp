#include "common/store/batch.hpp"

#include <charconv>

namespace sl::store {
namespace {

std::string name(const Batch& batch) {
    return "cannot commit batch " + std::to_string(batch.number) + " of epoch " + std::to_string(batch.epoch);
}

bool parse(std::string_view text, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<LogId> parse_log_id(const std::string& text) {
    LogId id;
    const auto dash = text.find('-');
    if (dash != std::string::npos && parse(std::string_view(text).substr(0, dash), id.epoch) &&
        parse(std::string_view(text).substr(dash + 1), id.n))
        return id;
    return Error{Errc::invalid_argument, "cannot read event id '" + text + "'",
                 "it looks like 1722470400000-17"};
}

Result<void> check(const Batch& batch) {
    const auto refuse = [&](const std::string& why, const char* hint) {
        return Error{Errc::invalid_argument, name(batch) + ": " + why, hint};
    };
    if (batch.epoch == 0 || batch.number == 0)
        return refuse("epochs and numbers begin at 1", "take the lead first");
    if (batch.writes.size() + batch.log.size() > max_batch_items)
        return refuse(std::to_string(batch.writes.size() + batch.log.size()) + " items, the limit is " +
                          std::to_string(max_batch_items),
                      "commit in smaller batches");
    std::size_t bytes = 0;
    for (const Write& w : batch.writes) {
        bytes += w.record.size() + w.field.size() + w.value.size();
        if (w.record.empty()) return refuse("a write names no record", "");
    }
    LogId last;
    for (const LogEntry& entry : batch.log) {
        if (entry.id <= last) return refuse("log id " + entry.id.text() + " does not rise", "");
        last = entry.id;
        bytes += entry.topic.size() + entry.kind.size() + entry.job.size() + entry.body.size();
    }
    if (bytes > max_batch_bytes)
        return refuse(std::to_string(bytes) + " bytes, the limit is " + std::to_string(max_batch_bytes),
                      "commit in smaller batches");
    return {};
}

Error stale_epoch(const Batch& batch, const std::string& leader_epoch) {
    return {Errc::stale, name(batch) + ": the epoch is now " + leader_epoch, "another broker took the lead"};
}

Error lost_batches(const Batch& batch, const std::string& last_number) {
    return {Errc::stale, name(batch) + ": the store knows only of batch " + last_number,
            "it lost acknowledged batches: use appendfsync always; resign, lead and load again"};
}

Error old_log_id(const Batch& batch) {
    return {Errc::invalid_argument,
            name(batch) + ": log id " + batch.log.front().id.text() + " is not above the last one", ""};
}

}  // namespace sl::store
