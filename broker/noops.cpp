#include "broker/noops.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "broker/job_records.hpp"
#include "schema/codec.hpp"

namespace sl::broker {

using schema::Token;

namespace {

constexpr const char* record = "noops";
constexpr std::size_t max_ended = 1000;                   // kept for `jobs` and `job`
constexpr std::size_t max_body = std::size_t(256) << 10;  // bytes of one log entry
// Pages that a few old jobs hold alive: above so many entries more than four a job all are written anew.
constexpr std::size_t spare_entries = 10'000;

// Names are letters, digits, '-', '_' and '.', ULIDs as well: JSON takes them as they are.
void tell(std::vector<std::pair<const char*, std::string>>& told, const char* kind, const char* state,
          const std::vector<const Noop*>& noops) {
    const std::string head = std::string(R"({"pipeline":"noop","state":")") + state + R"(","jobs":[)";
    std::string body = head;
    for (const Noop* noop : noops) {
        if (body.size() > max_body) {
            body += "]}";
            told.emplace_back(kind, std::move(body));
            body = head;
        }
        if (body.size() > head.size()) body += ',';
        body += '"';
        body += *noop->id;
        body += '"';
    }
    body += "]}";
    if (!noops.empty()) told.emplace_back(kind, std::move(body));
}

}  // namespace

Noops::Noops(const Noops& other) {
    if (!other.all_.empty()) throw std::logic_error("a job table with no-ops cannot be copied");
}

Token Noops::token(const Noop& noop) {
    Token t;
    t.job = *noop.id;
    t.unit = "noop";
    t.attempt = noop.attempt;
    t.nonce = noop.nonce;
    return t;
}

const Noop* Noops::find(const std::string& id) const {
    const auto at = all_.find(id);
    return at == all_.end() ? nullptr : &at->second;
}

const Noop* Noops::by_key(const std::string& key) const {
    const auto at = key.empty() ? keys_.end() : keys_.find(key);
    return at == keys_.end() ? nullptr : at->second;
}

Job Noops::view(const Noop& noop) const {
    Job job;
    job.spec = *noop.spec;
    job.spec.job = *noop.id;
    job.spec.submitted_ns = noop.submitted_ns;
    job.key = noop.key;
    job.state = noop.state;
    job.started_ns = noop.started_ns;
    job.ended_ns = noop.ended_ns;
    job.swept = is_terminal(noop.state);
    return job;
}

void Noops::change(Noop& noop) {
    if (noop.changed) return;
    noop.changed = true;
    changed_.push_back(&noop);
}

void Noops::queue(Noop& noop, std::uint64_t place) {
    noop.place = place;
    pending_.emplace_hint(pending_.end(), std::pair(-noop.spec->priority, place), &noop);
}

// It is no longer leased.
void Noops::let_go(Noop& noop) {
    const auto list = lists_.find(noop.nonce);
    list->second.noops[noop.place_in_list] = nullptr;
    if (--list->second.open == 0) lists_.erase(list);
    noop.holder.clear();
}

void Noops::submit(std::shared_ptr<const schema::JobSpec> spec, const std::string& id,
                   const std::string& key) {
    const auto at = all_.try_emplace(id).first;
    Noop& noop = at->second;
    noop.id = &at->first;
    noop.spec = std::move(spec);
    noop.submitted_ns = now_ns();
    if (!key.empty()) {
        noop.key = key;
        keys_[key] = &noop;
    }
    queue(noop, ++places_);
    change(noop);
    queued_.push_back(&noop);
}

schema::NoopLeases Noops::lease(const std::string& holder, std::int64_t room) {
    schema::NoopLeases out;
    if (room <= 0 || pending_.empty()) return out;
    out.nonce = random_u64();
    List& list = lists_[out.nonce];
    list.holder = holder;
    const auto now = now_ns();
    for (; room > 0 && !pending_.empty(); --room) {
        Noop& noop = *pending_.begin()->second;
        pending_.erase(pending_.begin());
        noop.state = JobState::running;
        if (noop.started_ns == 0) {
            noop.started_ns = now;
            started_.push_back(&noop);
        }
        noop.holder = holder;
        noop.nonce = out.nonce;
        noop.place_in_list = list.noops.size();
        list.noops.push_back(&noop);
        change(noop);
        out.jobs.push_back(*noop.id);
        out.attempts.push_back(++noop.attempt);
    }
    list.open = list.noops.size();
    return out;
}

bool Noops::current(const Token& token) const {
    const Noop* noop = find(token.job);
    return noop && noop->leased() && noop->nonce == token.nonce && noop->attempt == token.attempt;
}

std::int64_t Noops::held(const std::string& worker) const {
    std::size_t n = 0;
    for (const auto& [nonce, list] : lists_)
        if (list.holder == worker) n += list.open;
    return std::int64_t(n);
}

void Noops::done(std::uint64_t nonce, const std::vector<std::string>& ids) {
    for (const auto& id : ids)
        if (Noop* noop = entry(id); noop && noop->leased() && noop->nonce == nonce)
            end(*noop, JobState::succeeded);
}

void Noops::lost(const Token& token) {
    if (!current(token)) return;
    Noop& noop = *entry(token.job);
    let_go(noop);
    queue(noop, noop.place);
    change(noop);
}

void Noops::cancel(const std::string& id) {
    Noop& noop = *entry(id);
    if (noop.pending()) pending_.erase({-noop.spec->priority, noop.place});
    end(noop, JobState::canceled);
}

void Noops::end(Noop& noop, JobState state) {
    if (noop.leased()) let_go(noop);
    noop.state = state;
    noop.ended_ns = now_ns();
    ended_.push_back(&noop);
    change(noop);
    (state == JobState::canceled ? canceled_ : succeeded_).push_back(&noop);
}

void Noops::forget(const std::string& id) {
    Noop& noop = *entry(id);
    ended_.erase(std::find(ended_.begin(), ended_.end(), &noop));
    erase(noop);
    forgotten_.push_back(id);
}

void Noops::erase(Noop& noop) {
    --pages_[noop.page - first_page_].live;
    if (!noop.key.empty()) keys_.erase(noop.key);
    all_.erase(all_.find(*noop.id));
}

std::vector<std::pair<const char*, std::string>> Noops::write(Journal& j) {
    std::vector<std::pair<const char*, std::string>> told;
    if (changed_.empty() && forgotten_.empty()) return told;
    tell(told, "jobs.queued", "queued", queued_);
    tell(told, "jobs.started", "running", started_);
    tell(told, "jobs.succeeded", "succeeded", succeeded_);
    tell(told, "jobs.canceled", "canceled", canceled_);
    for (auto* list : {&queued_, &started_, &succeeded_, &canceled_}) list->clear();
    if (entries_ > spare_entries + 4 * all_.size()) {
        changed_.assign(ended_.begin(), ended_.end());
        for (auto& [id, noop] : all_)
            if (!is_terminal(noop.state)) changed_.push_back(&noop);
    }
    write_page(j);
    for (; ended_.size() > max_ended; ended_.pop_front()) erase(*ended_.front());
    while (!pages_.empty() && pages_.front().live == 0) {
        j.writes.push_back({store::Write::Kind::erase_field, record, std::to_string(first_page_), ""});
        entries_ -= pages_.front().entries;
        pages_.pop_front();
        ++first_page_;
    }
    return told;
}

// As NoopPage, without copying everything into one first.
void Noops::write_page(Journal& j) {
    const std::uint64_t number = first_page_ + pages_.size();
    std::map<const schema::JobSpec*, std::size_t> specs;
    for (const Noop* noop : changed_) specs.try_emplace(noop->spec.get(), specs.size());
    std::vector<NoopSpec> rows(specs.size());
    for (const auto& [spec, i] : specs) rows[i] = {spec->preset, spec->tenant, spec->priority, spec->tags};
    msgpack::sbuffer buffer(128 * changed_.size() + 256);
    msgpack::packer<msgpack::sbuffer> p(buffer);
    p.pack_map(3);
    p.pack("specs").pack(rows);
    p.pack("forgotten").pack(forgotten_);
    p.pack("jobs").pack_array(std::uint32_t(changed_.size()));
    for (Noop* noop : changed_) {
        p.pack_array(10).pack(*noop->id).pack(noop->key).pack(specs.at(noop->spec.get()));
        p.pack(std::int32_t(noop->state))
            .pack(noop->submitted_ns)
            .pack(noop->started_ns)
            .pack(noop->ended_ns);
        p.pack(noop->attempt).pack(noop->nonce).pack(noop->holder);
        if (noop->page != 0) --pages_[noop->page - first_page_].live;
        noop->page = number;
        noop->changed = false;
    }
    pages_.push_back({changed_.size() + forgotten_.size(), changed_.size()});
    entries_ += pages_.back().entries;
    changed_.clear();
    forgotten_.clear();
    j.writes.push_back(
        {store::Write::Kind::set, record, std::to_string(number), std::string(buffer.data(), buffer.size())});
    j.bytes += buffer.size();
}

Result<void> Noops::load(const std::map<std::string, std::string>& fields) {
    std::map<std::uint64_t, const std::string*> pages;  // in order
    for (const auto& [field, bytes] : fields) {
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
        if (error != std::errc() || end != field.data() + field.size() || number == 0)
            return Error{Errc::internal, std::string("record ") + record + " has a field '" + field + "'",
                         ""};
        pages[number] = &bytes;
    }
    if (!pages.empty()) first_page_ = pages.begin()->first;
    for (const auto& [number, bytes] : pages) {
        auto page =
            schema::decode<NoopPage>({reinterpret_cast<const std::uint8_t*>(bytes->data()), bytes->size()},
                                     record + std::string(" ") + std::to_string(number));
        if (!page) return page.error();
        if (number != first_page_ + pages_.size())
            return Error{
                Errc::internal,
                std::string("record ") + record + " lacks the field before " + std::to_string(number), ""};
        pages_.push_back({page->jobs.size() + page->forgotten.size(), 0});
        entries_ += pages_.back().entries;
        std::vector<std::shared_ptr<const schema::JobSpec>> specs;
        for (auto& row : page->specs) {
            schema::JobSpec spec;
            spec.pipeline = "noop";
            spec.preset = row.preset;
            spec.tenant = row.tenant;
            spec.priority = row.priority;
            spec.tags = std::move(row.tags);
            specs.push_back(std::make_shared<const schema::JobSpec>(std::move(spec)));
        }
        for (const auto& id : page->forgotten) all_.erase(id);
        for (auto& r : page->jobs) {
            if (r.spec >= specs.size() || r.state < 0 || r.state > std::int32_t(JobState::canceled))
                return Error{Errc::internal, "cannot read the no-op " + r.id, ""};
            const auto at = all_.try_emplace(r.id).first;
            Noop& noop = at->second;
            noop.id = &at->first;
            noop.spec = specs[r.spec];
            noop.key = std::move(r.key);
            noop.state = JobState(r.state);
            noop.submitted_ns = r.submitted_ns;
            noop.started_ns = r.started_ns;
            noop.ended_ns = r.ended_ns;
            noop.attempt = r.attempt;
            noop.nonce = r.nonce;
            noop.holder = std::move(r.holder);
            noop.page = number;
            noop.place = ++places_;  // for now: order of the last entries
        }
    }
    std::vector<Noop*> all;
    for (auto& [id, noop] : all_) all.push_back(&noop);
    std::sort(all.begin(), all.end(), [](const Noop* a, const Noop* b) { return a->place < b->place; });
    for (Noop* noop : all) {
        ++pages_[noop->page - first_page_].live;
        if (!noop->key.empty()) keys_[noop->key] = noop;
        if (is_terminal(noop->state)) ended_.push_back(noop);
    }
    // Older ones may still stand in a page that others need.
    for (; ended_.size() > max_ended; ended_.pop_front()) erase(*ended_.front());
    std::erase_if(all, [&](const Noop* noop) { return is_terminal(noop->state); });
    std::stable_sort(all.begin(), all.end(),
                     [](const Noop* a, const Noop* b) { return a->submitted_ns < b->submitted_ns; });
    for (Noop* noop : all) {
        const auto place = ++places_;
        if (!noop->leased()) {
            queue(*noop, place);
            continue;
        }
        noop->place = place;
        List& list = lists_[noop->nonce];
        list.holder = noop->holder;
        noop->place_in_list = list.noops.size();
        list.noops.push_back(noop);
        ++list.open;
    }
    return {};
}

}  // namespace sl::broker
