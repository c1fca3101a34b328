// The jobs socket: a request is a row and a function; the function parses, calls, answers.
#include <algorithm>
#include <cctype>
#include <cstring>

#include "broker/core.hpp"
#include "broker/request_field.hpp"
#include "common/files.hpp"
#include "common/log.hpp"

namespace sl::broker {
namespace {

Result<schema::Input> input_from(const Json& v, const char* what) {
    if (!v.is_object())
        return Error{Errc::invalid_argument, std::string(what) + " must be a map of root and path",
                     "see PROTOCOL.md section 3.1"};
    auto root = field<std::string>(v, "root", "");
    auto path = field<std::string>(v, "path", "");
    if (!root) return root.error();
    if (!path) return path.error();
    return schema::Input{*root, *path};
}

// Text that is no UTF-8 would be in every reply that quotes it, and most readers refuse those.
bool is_text(const Json& body) {
    try {
        (void)body.dump();
        return true;
    } catch (const Json::exception&) {
        return false;
    }
}

Json error_reply(const Error& e) {
    return {{"ok", false}, {"code", code_name(e.code)}, {"message", e.message}, {"hint", e.hint}};
}

}  // namespace

Error Core::unkept() const {
    return {Errc::unavailable, "cannot keep a change now: the store does not answer (" + store_.why() + ")",
            "send it again in a while"};
}

void Core::from_client(std::vector<zmq::message_t> frames) {
    // REQ sockets put an empty frame between the route and the message; it goes back as it came.
    std::vector<zmq::message_t> route;
    route.push_back(std::move(frames.front()));
    frames.erase(frames.begin());
    if (!frames.empty() && frames.front().size() == 0) {
        route.push_back(std::move(frames.front()));
        frames.erase(frames.begin());
    }
    Json reply, req;
    schema::Bytes bytes;  // or a reply that is encoded already
    const bool away =
        store_.away();  // asked once: what was admitted waits for its batch, whatever happens meanwhile
    // Envelope::parse bounds depth and size before nlohmann's recursive reader sees the bytes.
    auto e = bus::Envelope::parse(std::move(frames));
    if (!e) {
        ++bad_messages_;
        const std::string from(route.front().to_string_view());
        if (complained_.size() < 10000 && complained_.insert(from).second)
            log::warn("bad_message", "socket=jobs {}", e.error().message);
        reply = error_reply(e.error());
    } else if (e->type() == "submit_many" && !away) {
        bytes = submit_many(e->header());
    } else {
        const Json body = Json::from_msgpack(e->header(), true, false);
        if (body.is_discarded()) {
            reply = error_reply({Errc::bad_message, "cannot read the request's map", ""});
        } else if (!is_text(body)) {
            reply = error_reply({Errc::bad_message, "cannot read a request with text that is no UTF-8", ""});
        } else {
            if (const auto r = body.find("req"); r != body.end()) req = *r;
            static const std::set<std::string> changes{
                "submit",   "submit_many", "cancel",        "retry",    "forget",
                "prune",    "camera_set",  "camera_remove", "zone_set", "zone_remove",
                "rule_set", "rule_remove", "alerts_retry"};
            const bool change = changes.contains(e->type());
            auto result = change && away ? Result<Json>(unkept()) : request(e->type(), body);
            reply = result ? std::move(*result) : error_reply(result.error());
            reply.emplace("ok", true);  // unless it says itself that it refuses
        }
    }
    if (bytes.empty()) {
        reply["type"] = "reply";
        if (!req.is_null()) reply["req"] = req;
        bytes = Json::to_msgpack(reply);
    }
    route.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
    route.push_back(bus::to_frame(std::move(bytes)));
    auto shared = std::make_shared<std::vector<zmq::message_t>>(std::move(route));
    auto send = [this, shared] {
        auto& out = *shared;
        try {
            if (!bus::send(jobs_, out)) ++lost_replies_;
        } catch (const zmq::error_t&) {
            ++lost_replies_;  // the client left
        }
    };
    // Views wait with everything else for the batch that is on its way, so that they show nothing that could
    // still be lost; while the store is away they would wait for ever.
    if (away)
        send();
    else
        later(std::move(send));
}

Result<Json> Core::submit(const Json& body) {
    auto key = field<std::string>(body, "key", "");
    auto name = field<std::string>(body, "name", "");
    if (!key) return key.error();
    if (!name) return name.error();
    if (const auto known = known_by(*key)) return submitted(*known);  // repeated: no second thoughts
    auto spec = specify(body);
    if (!spec) return spec.error();
    Json refusal;
    auto job = admit(std::make_shared<const schema::JobSpec>(std::move(*spec)), *key, *name, refusal);
    if (!job) return job.error();
    return refusal.is_null() ? submitted(*job) : refusal;
}

std::optional<std::string> Core::known_by(const std::string& key) const {
    if (const Job* job = table_.by_key(key)) return job->id();
    if (const Noop* noop = table_.noops().by_key(key)) return *noop->id;
    return std::nullopt;
}

// All of a job but its id.
Result<schema::JobSpec> Core::specify(const Json& body) const {
    schema::JobSpec spec;
    auto pipeline = field<std::string>(body, "pipeline", "annotate");
    auto preset = field<std::string>(body, "preset", "default");
    auto priority = field<std::int32_t>(body, "priority", 0);
    auto tenant = field<std::string>(body, "tenant", "");
    auto tags = field<std::map<std::string, std::string>>(body, "tags", {});
    for (const Error* e : {pipeline ? nullptr : &pipeline.error(), preset ? nullptr : &preset.error(),
                           priority ? nullptr : &priority.error(), tenant ? nullptr : &tenant.error(),
                           tags ? nullptr : &tags.error()})
        if (e) return *e;
    const bool noop = *pipeline == "noop";
    const auto inputs = body.find("inputs");
    if (noop && inputs != body.end())
        return Error{Errc::invalid_argument, "a job of the pipeline noop takes no inputs", ""};
    if (!noop && (inputs == body.end() || !inputs->is_array() || inputs->empty()))
        return Error{Errc::invalid_argument, "a submit needs at least one input", "inputs: [{root, path}]"};
    for (const auto& v : noop ? Json::array() : *inputs) {
        auto in = input_from(v, "an input");
        if (!in) return in.error();
        spec.inputs.push_back(*in);
    }
    spec.output = options_.output;
    if (const auto out = body.find("output"); out != body.end()) {
        auto o = input_from(*out, "output");
        if (!o) return o.error();
        spec.output = *o;
    }
    const auto root_path = [&](const schema::Input& in) -> Result<std::string> {
        if (const auto r = options_.roots.find(in.root); r != options_.roots.end()) return r->second;
        std::string known;
        for (const auto& [n, p] : options_.roots) known += (known.empty() ? "" : ", ") + n;
        return Error{Errc::invalid_argument, "there is no root '" + in.root + "'",
                     "the configured roots are: " + (known.empty() ? "none" : known)};
    };
    // Paths are looked at here, where the mistake can still be answered; ingest looks again.
    for (const auto& in : spec.inputs) {
        auto root = root_path(in);
        if (!root) return root.error();
        if (auto at = files::resolve_below(in.root, *root, in.path); !at) return at.error();
    }
    if (!noop) {
        auto out_root = root_path(spec.output);
        if (!out_root) return out_root.error();
        if (auto at = files::place_below(spec.output.root, *out_root, spec.output.path); !at)
            return at.error();
    }
    const auto params = body.value("params", Json::object());
    if (!params.is_object()) return Error{Errc::invalid_argument, "params must be a map", ""};
    if (auto ok = catalogue_.resolve(*pipeline, *preset, params, spec); !ok) return ok.error();
    if (spec.inputs.size() == 1) cameras_.lay_zones(spec.inputs.front().path, spec);
    if (*priority < -100 || *priority > 100)
        return Error{Errc::invalid_argument,
                     "priority " + std::to_string(*priority) + " is outside -100 … 100", ""};
    spec.priority = *priority;
    spec.tenant = *tenant;
    spec.tags = *tags;
    return spec;
}

// The refusal of another job of this priority, if the queue is full; nullopt with a victim: it makes room.
std::optional<Json> Core::full(std::int32_t priority, Job*& victim) const {
    victim = nullptr;
    const auto queued = table_.index().queued_count() + table_.noops().pending();
    if (std::int64_t(queued) < options_.queued_jobs) return std::nullopt;
    if (options_.drop_lru && !table_.index().queued().empty()) {  // of the lowest priority, not above its own
        const auto& [lowest, jobs] = *table_.index().queued().rbegin();
        if (lowest <= priority) {
            victim = *jobs.begin();
            return std::nullopt;
        }
    }
    Json reply = error_reply(
        {Errc::unavailable, "the queue is full (" + std::to_string(queued) + " jobs)", "submit again later"});
    reply["code"] = "ADMISSION_REJECT";
    reply["retry_after_s"] = retry_after_s();
    return reply;
}

// The id of the new job. If the queue is full `refusal` says so, and there is none.
Result<std::string> Core::admit(const std::shared_ptr<const schema::JobSpec>& shared, const std::string& key,
                                const std::string& name, Json& refusal) {
    if (auto why = not_admitting()) return *why;
    Job* victim = nullptr;
    if (auto no = full(shared->priority, victim)) {
        refusal = std::move(*no);
        return std::string();
    }
    for (const char c : name)
        if (!std::isalnum(static_cast<unsigned char>(c)) && !std::strchr("-_.", c))
            return Error{
                Errc::invalid_argument,
                "the job name '" + name + "' holds other characters than letters, digits, '-', '_' and '.'",
                ""};
    if (name == "." || name == "..")
        return Error{Errc::invalid_argument, "'" + name + "' is no job name", ""};
    const std::string& id = name.empty() ? make_ulid() : name;
    const auto enter = [&] {
        if (shared->pipeline == "noop") return table_.submit_noop(shared, id, key);
        schema::JobSpec spec = *shared;
        spec.submitted_ns = now_ns();
        spec.job = id;
        return table_.submit(std::move(spec), key, journal_);
    };
    auto job = enter();
    if (job && victim) table_.drop(*victim, journal_);
    return job;
}

namespace {

// Of a map whose members are nothing but these texts; what is not plain is left to the slower reader.
struct KeyAndName {
    std::string key, name;
};
std::optional<KeyAndName> key_and_name(const msgpack::object& job) {
    KeyAndName out;
    if (job.type != msgpack::type::MAP) return std::nullopt;
    for (const auto& [key, value] : std::span(job.via.map.ptr, job.via.map.size)) {
        if (key.type != msgpack::type::STR || value.type != msgpack::type::STR) return std::nullopt;
        const std::string_view field(key.via.str.ptr, key.via.str.size);
        const std::string_view text(value.via.str.ptr, value.via.str.size);
        if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) < 0; }) ||
            (field != "key" && field != "name"))
            return std::nullopt;
        (field == "key" ? out.key : out.name) = text;
    }
    return out;
}

Json json_of(const msgpack::object& object) {
    msgpack::sbuffer buffer;
    msgpack::pack(buffer, object);
    return Json::from_msgpack(buffer.data(), buffer.data() + buffer.size(), true, false);
}

}  // namespace

// Each of `jobs` lies over the fields beside it, and is answered for itself. What they share is worked out
// once; they may be many, so only what is rare in them is made a tree of JSON. `header` was bounded before.
schema::Bytes Core::submit_many(const schema::Bytes& header) {
    constexpr std::size_t most = 1000;
    const auto handle = schema::unpack(header, "submit_many");
    Json common = Json::object();
    const msgpack::object* jobs = nullptr;
    const auto& map = handle->get().via.map;
    for (const auto& [key, value] : std::span(map.ptr, map.size)) {
        if (key.type != msgpack::type::STR) continue;
        const std::string field(key.via.str.ptr, key.via.str.size);
        if (field == "jobs")
            jobs = &value;
        else
            common[field] = json_of(value);
    }
    Json reply{{"type", "reply"}};
    const auto whole = [&](const Error& e) {
        reply.update(error_reply(e));
        return Json::to_msgpack(reply);
    };
    if (!is_text(common))
        return whole({Errc::bad_message, "cannot read a request with text that is no UTF-8", ""});
    if (const auto req = common.find("req"); req != common.end()) reply["req"] = *req;
    if (!jobs || jobs->type != msgpack::type::ARRAY || jobs->via.array.size > most)
        return whole({Errc::invalid_argument,
                      "submit_many needs jobs, a list of at most " + std::to_string(most) + " maps",
                      "see PROTOCOL.md section 3.1"});
    for (const char* own : {"type", "req"}) common.erase(own);
    const auto share = [](Result<schema::JobSpec> spec) -> Result<std::shared_ptr<const schema::JobSpec>> {
        if (!spec) return spec.error();
        return std::make_shared<const schema::JobSpec>(std::move(*spec));
    };
    const auto shared = share(specify(common));
    msgpack::sbuffer buffer(64 * jobs->via.array.size + 256);
    msgpack::packer<msgpack::sbuffer> p(buffer);
    p.pack_map(reply.contains("req") ? 4 : 3);
    p.pack("type").pack("reply").pack("ok").pack(true);
    const auto pack_json = [&](const Json& value) {
        const auto bytes = Json::to_msgpack(value);
        buffer.write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    if (reply.contains("req")) {
        p.pack("req");
        pack_json(reply["req"]);
    }
    p.pack("jobs").pack_array(jobs->via.array.size);
    for (const auto& job : std::span(jobs->via.array.ptr, jobs->via.array.size)) {
        Json refusal;
        const auto one = [&]() -> Result<std::string> {
            if (const auto plain = key_and_name(job)) {
                if (auto known = known_by(plain->key)) return *known;
                return shared ? admit(*shared, plain->key, plain->name, refusal)
                              : Result<std::string>(shared.error());
            }
            Json own = json_of(job);
            if (!own.is_object()) return Error{Errc::invalid_argument, "a job of submit_many is no map", ""};
            if (!is_text(own))
                return Error{Errc::bad_message, "cannot read a job with text that is no UTF-8", ""};
            auto key = field<std::string>(own, "key", "");
            auto name = field<std::string>(own, "name", "");
            if (!key) return key.error();
            if (!name) return name.error();
            if (auto known = known_by(*key)) return *known;
            Json fields = common;
            fields.update(own);
            auto spec = share(specify(fields));
            if (!spec) return spec.error();
            return admit(*spec, *key, *name, refusal);
        }();
        if (!one) refusal = error_reply(one.error());
        if (!refusal.is_null()) {
            pack_json(refusal);
            continue;
        }
        const Noop* noop = table_.noops().find(*one);
        p.pack_map(2).pack("job").pack(*one).pack("state");
        p.pack(state_name(noop ? noop->state : table_.find(*one)->state));
    }
    return {buffer.data(), buffer.data() + buffer.size()};
}

Result<Json> Core::prune(const Json& body) {
    auto older_than_s = field<double>(body, "older_than_s", 0);
    auto state = field<std::string>(body, "state", "");
    auto results = field<bool>(body, "results", false);
    auto dry_run = field<bool>(body, "dry_run", false);
    for (const Error* e : {older_than_s ? nullptr : &older_than_s.error(), state ? nullptr : &state.error(),
                           results ? nullptr : &results.error(), dry_run ? nullptr : &dry_run.error()})
        if (e) return *e;
    if (!(*older_than_s >= 0 && *older_than_s <= 1e9))
        return Error{Errc::invalid_argument, "older_than_s must be 0 … 1000000000", ""};
    if (!state->empty() && *state != "succeeded" && *state != "failed" && *state != "canceled")
        return Error{Errc::invalid_argument, "cannot remove jobs that are '" + *state + "'",
                     "the states of ended jobs are succeeded, failed and canceled"};
    const std::int64_t before = now_ns() - std::int64_t(*older_than_s * 1e9);
    std::vector<std::string> ids;
    for (const auto& [ended_ns, id] : table_.index().ended()) {
        if (ended_ns > before) break;
        const Job& job = *table_.find(id);
        if (job.forget == Job::Forget::no && (state->empty() || *state == state_name(job.state)))
            ids.push_back(id);
    }
    if (!*dry_run)
        for (const auto& id : ids)
            if (auto ok = table_.forget(id, *results, journal_); !ok) return ok.error();
    return Json{{"jobs", ids}};
}

Json Core::submitted(const std::string& id) const {
    const Noop* noop = table_.noops().find(id);
    return noop ? submitted(table_.noops().view(*noop)) : submitted(table_.jobs().at(id));
}

Json Core::submitted(const Job& job) const {
    Json reply{{"job", job.id()}, {"state", state_name(job.state)}, {"queue_position", queue_position(job)}};
    if (const auto s = predicted_start_s(job)) reply["predicted_start_s"] = *s;
    return reply;
}

std::optional<Error> Core::not_admitting() const {
    if (store_.away()) return unkept();
    constexpr std::size_t entry_bytes = 1024;  // an ordinary one has less; one that is about many jobs more
    if (recent_.size() < options_.max_log && recent_bytes_ < options_.max_log * entry_bytes)
        return std::nullopt;
    return Error{Errc::unavailable,
                 "cannot take a new job now: " + std::to_string(recent_.size()) +
                     " log entries wait for the audit trail" +
                     (audit_.away() ? " (" + audit_.why() + ")" : std::string()),
                 "bring it back; what waits is kept"};
}

// When a place in the queue may be free: jobs end, and begin, at this pace.
double Core::retry_after_s() const {
    double seconds = 0;
    for (const double d : durations_s_) seconds += d / double(durations_s_.size());
    if (durations_s_.empty() && !table_.index().running().empty())  // none ended yet: the first one will
        seconds = double(now_ns() - (*table_.index().running().begin())->started_ns) * 1e-9;
    return std::max(1.0, seconds / double(options_.limits.running_jobs));
}

Result<Json> Core::request(const std::string& type, const Json& body) {
    std::optional<Job> noop;  // looks like a job here
    const auto job_of = [&]() -> Result<Job*> {
        auto id = field<std::string>(body, "job", "");
        if (!id) return id.error();
        if (Job* job = table_.find(*id)) return job;
        if (const Noop* found = table_.noops().find(*id)) return &noop.emplace(table_.noops().view(*found));
        return Error{Errc::not_found, "there is no job '" + *id + "'", "`sightline jobs` lists them"};
    };
    if (type == "ping") {
        Json roots = Json::array();
        for (const auto& [name, path] : options_.roots) roots.push_back(name);
        return Json{{"version", "0.1.0"},
                    {"commit", sl::commit()},
                    {"protocol", schema::protocol_id},
                    {"fleet", options_.fleet},
                    {"epoch", epoch_},
                    {"roots", roots},
                    {"events_last", table_.last_id().text()}};
    }
    if (type == "submit") return submit(body);
    if (type == "job") {
        auto job = job_of();
        if (!job) return job.error();
        return Json{{"job", job_view(**job)}};
    }
    if (type == "jobs") {
        auto limit = field<std::int64_t>(body, "limit", 100);
        auto state = field<std::string>(body, "state", "");
        auto tag = field<std::string>(body, "tag", "");
        if (!limit) return limit.error();
        if (!state) return state.error();
        if (!tag) return tag.error();
        const auto asked_for = [&](JobState of, const std::map<std::string, std::string>& tags) {
            if (!state->empty() && *state != state_name(of)) return false;
            if (tag->empty()) return true;
            const auto eq = tag->find('=');
            const auto t = tags.find(tag->substr(0, eq));
            return t != tags.end() && (eq == std::string::npos || t->second == tag->substr(eq + 1));
        };
        struct Row {
            std::int64_t submitted_ns;
            const Job* job;
            const Noop* noop;
        };
        std::vector<Row> all;
        for (const auto& [id, job] : table_.jobs())
            if (asked_for(job.state, job.spec.tags)) all.push_back({job.spec.submitted_ns, &job, nullptr});
        for (const auto& [id, each] : table_.noops().all())
            if (asked_for(each.state, each.spec->tags)) all.push_back({each.submitted_ns, nullptr, &each});
        std::stable_sort(all.begin(), all.end(),
                         [](const Row& a, const Row& b) { return a.submitted_ns > b.submitted_ns; });
        Json jobs = Json::array();
        for (const Row& row : all)
            if (std::int64_t(jobs.size()) < *limit)
                jobs.push_back(job_view(row.job ? *row.job : table_.noops().view(*row.noop)));
        return Json{{"jobs", jobs}};
    }
    if (type == "cancel") {
        auto job = job_of();
        if (!job) return job.error();
        auto keep = field<bool>(body, "keep_partial", false);
        if (!keep) return keep.error();
        auto state = table_.cancel((*job)->id(), *keep, journal_);
        if (!state) return state.error();
        // Time for every holder to hear that its token is void, so that nothing appears after the sweep.
        (*job)->sweep.trouble.not_before = Clock::now() + rounds(2.5);
        // Workers let go with their next beat: the tokens are no longer current.
        return Json{{"state", state_name(*state)}};
    }
    if (type == "retry") {
        auto job = job_of();
        if (!job) return job.error();
        auto state = table_.retry((*job)->id(), journal_);
        if (!state) return state.error();
        return Json{{"state", state_name(*state)}};
    }
    if (type == "forget") {
        auto job = job_of();
        if (!job) return job.error();
        auto results = field<bool>(body, "results", false);
        if (!results) return results.error();
        if (auto ok = table_.forget((*job)->id(), *results, journal_); !ok) return ok.error();
        return Json::object();
    }
    if (type == "prune") return prune(body);
    if (type == "artifacts") {
        auto job = job_of();
        if (!job) return job.error();
        const auto& out = (*job)->spec.output;
        const std::string path = (out.path.empty() ? "" : out.path + "/") + (*job)->id();
        Json reply{{"root", out.root}, {"path", path}};
        if (const auto root = options_.roots.find(out.root);
            root != options_.roots.end() && !(*job)->manifest_digest.empty())
            if (const auto text = files::read(root->second + "/" + path + "/manifest.json")) {
                auto manifest = Json::parse(*text, nullptr, false);
                if (!manifest.is_discarded()) reply["manifest"] = std::move(manifest);
            }
        return reply;
    }
    if (type == "log") {
        auto since = field<std::string>(body, "since", "");
        auto topics = field<std::vector<std::string>>(body, "topics", {});
        auto limit = field<std::int64_t>(body, "limit", 1000);
        if (!since) return since.error();
        if (!topics) return topics.error();
        if (!limit) return limit.error();
        store::LogId after;
        if (!since->empty()) {
            auto id = store::parse_log_id(*since);
            if (!id) return id.error();
            after = *id;
        }
        Json entries = Json::array();
        auto at = std::upper_bound(recent_.begin(), recent_.end(), after,
                                   [](const store::LogId& id, const auto& e) { return id < e.id; });
        store::LogId last = after;
        for (;
             at != recent_.end() && std::int64_t(entries.size()) < std::clamp<std::int64_t>(*limit, 1, 1000);
             ++at) {
            last = at->id;
            const auto wanted = [&](const std::string& topic) {
                return topics->empty() || std::any_of(topics->begin(), topics->end(),
                                                      [&](const auto& t) { return topic.starts_with(t); });
            };
            if (at->topic != "jobs.noop" && !wanted(at->topic)) continue;
            for (Json& event : events_of(*at))
                if (wanted(event["topic"])) entries.push_back(std::move(event));
        }
        return Json{{"entries", entries}, {"last", last.text()}};
    }
    if (type == "sinks") return Json{{"targets", sinks_view()}};
    if (type == "alerts_dead") {
        auto target = field<std::string>(body, "target", "");
        auto limit = field<std::int64_t>(body, "limit", 100);
        if (!target) return target.error();
        if (!limit) return limit.error();
        return Json{{"dead", dead_view(*target, std::size_t(std::clamp<std::int64_t>(*limit, 0, 1000)))}};
    }
    if (type == "alerts_retry") {
        auto target = field<std::string>(body, "target", "");
        auto key = field<std::string>(body, "key", "");
        if (!target) return target.error();
        if (!key) return key.error();
        auto retried = table_.outbox().retry(*target, *key, journal_);
        if (!retried) return retried.error();
        return Json{{"retried", *retried}};
    }
    if (type == "pools") return Json{{"pools", pools_view()}};
    if (type == "drain" || type == "reload") {
        auto pool = field<std::string>(body, "pool", "");
        auto worker = field<std::string>(body, "worker", "");
        auto deadline = field<double>(body, "deadline_s", type == "drain" ? 10 : 30);
        if (!pool) return pool.error();
        if (!worker) return worker.error();
        if (!deadline) return deadline.error();
        return type == "drain" ? drain(*pool, *worker, *deadline) : reload(*pool, *deadline);
    }
    if (type == "pipelines") return Json{{"pipelines", catalogue_.pipelines()}};
    if (type == "presets") return Json{{"presets", catalogue_.presets()}};
    if (type == "models") {
        Json models = catalogue_.models();
        for (auto& m : models) {
            std::int64_t n = 0;
            for (const auto& [id, member] : members_.all()) n += member.hello.pool == m.value("pool", "");
            m["workers"] = n;
        }
        return Json{{"models", models}};
    }
    if (type == "health") return health_view();
    if (auto reply = camera_request(type, body)) return std::move(*reply);
    return Error{Errc::bad_message, "there is no request '" + type + "'", "see PROTOCOL.md section 3"};
}

}  // namespace sl::broker
