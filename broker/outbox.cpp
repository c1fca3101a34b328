#include "broker/outbox.hpp"

#include <algorithm>

#include "broker/job_table.hpp"
#include "common/alert_json.hpp"
#include "common/store/job_store.hpp"

namespace sl::broker {
namespace {

constexpr const char* cursor_prefix = "delivered/";
constexpr std::size_t most_skipped = 10'000;  // incidents that a target remembers
constexpr std::int64_t second_ns = 1'000'000'000;

void set(Journal& j, const char* record, const std::string& field, const schema::Bytes& value) {
    j.writes.push_back({store::Write::Kind::set, record, field, std::string(value.begin(), value.end())});
    j.bytes += value.size();
}
void erase(Journal& j, const char* record, const std::string& field) {
    j.writes.push_back({store::Write::Kind::erase_field, record, field, ""});
}

struct KeptAlert {  // field "{log id}" of the record "outbox"
    schema::Alert alert;
    std::int64_t time_ns = 0;
    MSGPACK_DEFINE_MAP(alert, time_ns)
};

std::span<const std::uint8_t> bytes_of(const std::string& s) {
    return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

std::string hours(std::int64_t ns) {
    const auto minutes = ns / (60 * second_ns);
    return minutes < 120 ? std::to_string(minutes) + " min" : std::to_string(minutes / 60) + " h";
}

}  // namespace

// --- start

Result<void> Outbox::load(const std::map<std::string, std::string>& fleet,
                          const std::map<std::string, std::string>& outbox,
                          const std::map<std::string, std::string>& dead_letters) {
    for (const auto& [field, value] : fleet) {
        // "delivered" alone: of all targets, until each had a cursor of its own.
        if (field != "delivered" && !field.starts_with(cursor_prefix)) continue;
        const auto id = store::parse_log_id(value);
        if (!id) return id.error();
        cursors_[field == "delivered" ? "" : field.substr(std::string_view(cursor_prefix).size())] = *id;
    }
    for (const auto& [field, value] : outbox) {
        const auto id = store::parse_log_id(field);
        if (!id) return id.error();
        auto kept = schema::decode<KeptAlert>(bytes_of(value), "outbox " + field);
        if (!kept) return kept.error();
        alerts_[*id] = {std::move(kept->alert), kept->time_ns, 0, true};
    }
    for (const auto& [field, value] : dead_letters) {
        const auto id = store::parse_log_id(field.substr(0, field.find('/')));
        if (!id) return id.error();
        auto letter = schema::decode<DeadLetter>(bytes_of(value), "dead letter " + field);
        if (!letter) return letter.error();
        letters_[{*id, letter->target}] = std::move(*letter);
    }
    return {};
}

void Outbox::load_entry(const store::LogEntry& e) {
    if (alerts_.contains(e.id)) return;
    if (auto alert = alert_from_json(e.body)) alerts_[e.id] = {std::move(*alert), e.time_ns, 0, false};
}

std::vector<std::string> Outbox::open(const OutboxOptions& options, store::LogId last, Journal& j) {
    options_ = options;
    targets_.clear();
    for (const auto& o : options.targets) {
        Target& t = targets_.emplace_back();
        t.name = o.name;
        t.sink = o.sink;
        t.filter = o.filter;
        const auto own = cursors_.find(o.name), common = cursors_.find("");
        t.delivered = own != cursors_.end() ? own->second : common != cursors_.end() ? common->second : last;
        if (own == cursors_.end()) write_cursor(t, j);
    }
    std::vector<std::string> gone;
    for (const auto& [name, id] : cursors_) {
        if (name.empty())
            erase(j, "fleet", "delivered");
        else if (!find(name)) {
            erase(j, "fleet", cursor_prefix + name);
            gone.push_back(name);
        }
    }
    cursors_.clear();
    for (const auto& [key, letter] : letters_)
        if (Target* t = find(key.second); t && letter.again) t->again.push_back(key.first);
    auto candidates = std::move(alerts_);
    alerts_.clear();
    for (auto& [id, item] : candidates) {
        for (Target& t : targets_)
            if (t.delivered < id && !letters_.contains({id, t.name}))
                item.targets += offer(t, id, item.alert);
        if (item.targets > 0)
            alerts_[id] = std::move(item);
        else if (item.kept)
            erase(j, "outbox", id.text());
    }
    return gone;
}

// --- alerts

// What follows in an incident goes where its beginning went.
bool Outbox::wants(Target& t, const schema::Alert& alert) {
    if (alert.kind == "new" && double(alert.box.score) < t.filter.min_score) {
        if (t.skipped.insert(alert.alert).second) t.skipped_order.push_back(alert.alert);
        if (t.skipped_order.size() > most_skipped) {
            t.skipped.erase(t.skipped_order.front());
            t.skipped_order.pop_front();
        }
        return false;
    }
    return wanted(t.filter, alert) && (alert.kind == "new" || !t.skipped.contains(alert.alert));
}

bool Outbox::offer(Target& t, store::LogId id, const schema::Alert& alert) {
    if (wants(t, alert)) {
        t.waiting.push_back(id);
        return true;
    }
    ++t.counts.filtered;
    if (t.waiting.empty()) {
        t.delivered = id;
        t.passed = true;
    }
    return false;
}

void Outbox::add(store::LogId id, const schema::Alert& alert, std::int64_t time_ns, Journal& j) {
    Item item{alert, time_ns, 0, false};
    for (Target& t : targets_) item.targets += offer(t, id, alert);
    if (item.targets == 0) return;
    alerts_[id] = std::move(item);
    // A worker has the first ones in hand; the first that it has not goes.
    for (Target& t : targets_) {
        const auto held = t.leased.size() - std::max(t.finished, t.leased_again);
        if (t.waiting.size() > options_.waiting && held < t.waiting.size())
            give_up(t, held, 0, "more than " + std::to_string(options_.waiting) + " alerts waited for it",
                    time_ns, j);
    }
}

void Outbox::keep(store::LogId upto, Journal& j) {
    for (auto& [id, item] : alerts_) {
        if (upto < id) break;
        if (item.kept) continue;
        item.kept = true;
        set(j, "outbox", id.text(), schema::encode(KeptAlert{item.alert, item.time_ns}));
    }
}

void Outbox::tend(std::int64_t at_ns, Journal& j) {
    if (at_ns < tended_ns_ + second_ns) return;
    tended_ns_ = at_ns;
    for (Target& t : targets_) {
        // Those that a worker has in hand it gives up itself.
        while (options_.age_ns > 0 && t.unit.state != Unit::State::leased && !t.waiting.empty() &&
               at_ns - alerts_.at(t.waiting.front()).time_ns > options_.age_ns)
            give_up(t, 0, 0, "it waited for more than " + hours(options_.age_ns), at_ns, j);
        if (t.passed) write_cursor(t, j);
    }
    bound_letters(at_ns, j);
}

// --- leases

Outbox::Target* Outbox::find(const std::string& name) {
    const auto at =
        std::find_if(targets_.begin(), targets_.end(), [&](const Target& t) { return t.name == name; });
    return at == targets_.end() ? nullptr : &*at;
}

std::vector<schema::Alert> Outbox::lease(Target& t, std::size_t limit) {
    std::vector<schema::Alert> alerts;
    lost(t);
    for (std::size_t i = 0; i < t.again.size() && alerts.size() < limit; ++i) {
        t.leased.push_back(t.again[i]);
        alerts.push_back(letters_.at({t.again[i], t.name}).alert);
    }
    t.leased_again = t.leased.size();
    for (std::size_t i = 0; i < t.waiting.size() && alerts.size() < limit; ++i) {
        t.leased.push_back(t.waiting[i]);
        alerts.push_back(alerts_.at(t.waiting[i]).alert);
    }
    return alerts;
}

void Outbox::lost(Target& t) {
    t.leased.clear();
    t.leased_again = t.finished = 0;
    t.lease_limited = t.lease_retried = 0;
}

void Outbox::report(Target& t, const schema::Delivered& r, std::int64_t at_ns, Journal& j) {
    const auto taken = std::min(std::size_t(std::max(0, r.taken)), t.leased.size());
    std::map<std::size_t, const schema::GivenUp*> dead;
    for (const auto& d : r.dead)
        if (d.index >= 0) dead[std::size_t(d.index)] = &d;
    std::int64_t fine = 0;
    const bool any = t.finished < taken;
    for (; t.finished < taken; ++t.finished) {
        const auto given_up = dead.find(t.finished);
        const bool is_dead = given_up != dead.end();
        fine += !is_dead;
        if (t.finished < t.leased_again) {
            t.again.pop_front();
            const auto letter = letters_.find({t.leased[t.finished], t.name});
            if (!is_dead) {
                erase_letter(letter, j);
                continue;
            }
            letter->second.attempts += given_up->second->attempts;
            letter->second.error = clean(given_up->second->error);
            letter->second.time_ns = at_ns;
            letter->second.again = false;
            ++t.counts.dead;
            write_letter(letter->first, j);
        } else if (is_dead) {
            give_up(t, 0, given_up->second->attempts, clean(given_up->second->error), at_ns, j);
        } else {
            finish(t, 0, j);
        }
    }
    if (any && t.finished > t.leased_again) write_cursor(t, j);
    const auto limited = std::clamp<std::int64_t>(r.limited - t.lease_limited, 0, fine);
    t.lease_limited += limited;
    t.counts.limited += limited;
    t.counts.sent += fine - limited;
    t.counts.retried += std::max<std::int64_t>(0, r.retried - t.lease_retried);
    t.lease_retried = std::max(t.lease_retried, r.retried);
    t.state = clean(r.state);
    t.last_error = clean(r.error);
}

// waiting[at] is over here, whatever became of it.
void Outbox::finish(Target& t, std::size_t at, Journal& j) {
    const store::LogId id = t.waiting[at];
    t.waiting.erase(t.waiting.begin() + std::ptrdiff_t(at));
    if (at == 0) {
        t.delivered = id;
        t.passed = true;
    }
    release(id, j);
}

void Outbox::release(store::LogId id, Journal& j) {
    const auto item = alerts_.find(id);
    if (--item->second.targets > 0) return;
    if (item->second.kept) erase(j, "outbox", id.text());
    alerts_.erase(item);
}

void Outbox::write_cursor(Target& t, Journal& j) {
    t.passed = false;
    j.writes.push_back({store::Write::Kind::set, "fleet", cursor_prefix + t.name, t.delivered.text()});
}

std::int64_t Outbox::oldest_ns(const Target& t) const {
    return t.waiting.empty() ? 0 : alerts_.at(t.waiting.front()).time_ns;
}

// --- dead letters

void Outbox::give_up(Target& t, std::size_t at, std::int32_t attempts, const std::string& error,
                     std::int64_t at_ns, Journal& j) {
    const LetterKey key{t.waiting[at], t.name};
    letters_[key] = {t.name, alerts_.at(key.first).alert, attempts, error, at_ns, false};
    ++t.counts.dead;
    write_letter(key, j);
    finish(t, at, j);
    bound_letters(at_ns, j);
}

void Outbox::write_letter(const LetterKey& key, Journal& j) const {
    set(j, "dead_letters", key.first.text() + "/" + key.second, schema::encode(letters_.at(key)));
}

void Outbox::erase_letter(std::map<LetterKey, DeadLetter>::iterator letter, Journal& j) {
    erase(j, "dead_letters", letter->first.first.text() + "/" + letter->first.second);
    letters_.erase(letter);
}

void Outbox::bound_letters(std::int64_t at_ns, Journal& j) {
    for (auto at = letters_.begin(); at != letters_.end();) {
        const auto letter = at++;
        const bool old = options_.dead_ns > 0 && at_ns - letter->second.time_ns > options_.dead_ns;
        if (letters_.size() <= options_.dead && !old) break;
        if (!letter->second.again) erase_letter(letter, j);
    }
}

std::vector<const DeadLetter*> Outbox::dead(const std::string& target, std::size_t limit) const {
    std::vector<const DeadLetter*> found;
    for (auto at = letters_.rbegin(); at != letters_.rend() && found.size() < limit; ++at)
        if (target.empty() || at->second.target == target) found.push_back(&at->second);
    return found;
}

Result<std::size_t> Outbox::retry(const std::string& name, const std::string& key, Journal& j) {
    Target* t = find(name);
    if (!t)
        return Error{Errc::not_found,
                     "cannot send dead letters again: no target '" + name + "' is configured",
                     "`sightline sinks` lists them"};
    std::size_t n = 0, known = 0;
    for (auto& [at, letter] : letters_) {
        if (letter.target != name || (!key.empty() && letter.alert.key() != key)) continue;
        ++known;
        if (letter.again) continue;
        letter.again = true;
        t->again.push_back(at.first);
        write_letter(at, j);
        ++n;
    }
    if (known == 0 && !key.empty())
        return Error{Errc::not_found, "the target '" + name + "' has no dead letter '" + key + "'",
                     "`sightline alerts dead` lists them"};
    return n;
}

}  // namespace sl::broker
