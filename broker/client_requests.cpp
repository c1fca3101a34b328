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
    } else {
        const Json body = Json::from_msgpack(e->header(), true, false);
        if (body.is_discarded()) {
            reply = error_reply({Errc::bad_message, "cannot read the request's map", ""});
        } else if (!is_text(body)) {
            reply = error_reply({Errc::bad_message, "cannot read a request with text that is no UTF-8", ""});
        } else {
            if (const auto r = body.find("req"); r != body.end()) req = *r;
            static const std::set<std::string> changes{
                "submit",     "submit_many",   "cancel",   "retry",       "forget",   "prune",
                "camera_set", "camera_remove", "zone_set", "zone_remove", "rule_set", "rule_remove"};
            const bool change = changes.contains(e->type());
            auto result = change && away ? Result<Json>(unkept()) : request(e->type(), body);
            reply = result ? std::move(*result) : error_reply(result.error());
            reply.emplace("ok", true);  // unless it says itself that it refuses
        }
    }
    reply["type"] = "reply";
    if (!req.is_null()) reply["req"] = req;
    auto shared =
        std::make_shared<std::pair<std::vector<zmq::message_t>, Json>>(std::move(route), std::move(reply));
    auto send = [this, shared] {
        auto& out = shared->first;
        out.emplace_back(schema::protocol_id.data(), schema::protocol_id.size());
        const auto bytes = Json::to_msgpack(shared->second);
        out.emplace_back(bytes.data(), bytes.size());
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
    if (const Job* known = table_.by_key(*key)) return submitted(*known);  // repeated: no second thoughts
    auto spec = specify(body);
    if (!spec) return spec.error();
    Json refusal;
    auto job = admit(std::move(*spec), *key, *name, refusal);
    if (!job) return job.error();
    return *job ? submitted(**job) : refusal;
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
    const auto queued = table_.index().queued_count() + table_.queued_noops();
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

// nullptr: the queue is full, and `refusal` says so.
Result<const Job*> Core::admit(schema::JobSpec spec, const std::string& key, const std::string& name,
                               Json& refusal) {
    if (auto why = not_admitting()) return *why;
    Job* victim = nullptr;
    if (auto no = full(spec.priority, victim)) {
        refusal = std::move(*no);
        return nullptr;
    }
    spec.submitted_ns = now_ns();
    for (const char c : name)
        if (!std::isalnum(static_cast<unsigned char>(c)) && !std::strchr("-_.", c))
            return Error{
                Errc::invalid_argument,
                "the job name '" + name + "' holds other characters than letters, digits, '-', '_' and '.'",
                ""};
    if (name == "." || name == "..")
        return Error{Errc::invalid_argument, "'" + name + "' is no job name", ""};
    spec.job = name.empty() ? make_ulid() : name;
    auto id = table_.submit(std::move(spec), key, journal_);
    if (!id) return id.error();
    if (victim) table_.drop(*victim, journal_);
    return table_.find(*id);
}

// Each of `jobs` lies over the fields beside it, and is answered for itself. What they share is worked out
// once.
Result<Json> Core::submit_many(const Json& body) {
    constexpr std::size_t most = 1000;
    const auto jobs = body.find("jobs");
    if (jobs == body.end() || !jobs->is_array() || jobs->size() > most)
        return Error{Errc::invalid_argument,
                     "submit_many needs jobs, a list of at most " + std::to_string(most) + " maps",
                     "see PROTOCOL.md section 3.1"};
    Json common = body;
    for (const char* own : {"type", "req", "jobs"}) common.erase(own);
    const auto shared = specify(common);
    Json replies = Json::array();
    for (const auto& job : *jobs) {
        Json refusal;
        const auto one = [&]() -> Result<const Job*> {
            if (!job.is_object()) return Error{Errc::invalid_argument, "a job of submit_many is no map", ""};
            auto key = field<std::string>(job, "key", "");
            auto name = field<std::string>(job, "name", "");
            if (!key) return key.error();
            if (!name) return name.error();
            if (const Job* known = table_.by_key(*key)) return known;
            if (job.size() == job.count("key") + job.count("name"))
                return shared ? admit(*shared, *key, *name, refusal) : Result<const Job*>(shared.error());
            Json whole = common;
            whole.update(job);
            auto spec = specify(whole);
            if (!spec) return spec.error();
            return admit(std::move(*spec), *key, *name, refusal);
        }();
        replies.push_back(!one   ? error_reply(one.error())
                          : *one ? Json{{"job", (*one)->id()}, {"state", state_name((*one)->state)}}
                                 : std::move(refusal));
    }
    return Json{{"jobs", std::move(replies)}};
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

Json Core::submitted(const Job& job) const {
    Json reply{{"job", job.id()}, {"state", state_name(job.state)}, {"queue_position", queue_position(job)}};
    if (const auto s = predicted_start_s(job)) reply["predicted_start_s"] = *s;
    return reply;
}

std::optional<Error> Core::not_admitting() const {
    if (store_.away()) return unkept();
    if (recent_.size() < options_.max_log) return std::nullopt;
    return Error{
        Errc::unavailable,
        "cannot take a new job now: " + std::to_string(recent_.size()) + " log entries wait for " +
            (audit_.away() ? "the audit trail (" + audit_.why() + ")" : std::string("the alert stage")),
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
    const auto job_of = [&]() -> Result<Job*> {
        auto id = field<std::string>(body, "job", "");
        if (!id) return id.error();
        if (Job* job = table_.find(*id)) return job;
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
    if (type == "submit_many") return submit_many(body);
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
        std::vector<const Job*> all;
        for (const auto& [id, job] : table_.jobs()) {
            if (!state->empty() && *state != state_name(job.state)) continue;
            if (!tag->empty()) {
                const auto eq = tag->find('=');
                const auto t = job.spec.tags.find(tag->substr(0, eq));
                if (t == job.spec.tags.end() || (eq != std::string::npos && t->second != tag->substr(eq + 1)))
                    continue;
            }
            all.push_back(&job);
        }
        std::stable_sort(all.begin(), all.end(), [](const Job* a, const Job* b) {
            return a->spec.submitted_ns > b->spec.submitted_ns;
        });
        Json jobs = Json::array();
        for (const Job* job : all)
            if (std::int64_t(jobs.size()) < *limit) jobs.push_back(job_view(*job));
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
            if (!topics->empty() && std::none_of(topics->begin(), topics->end(),
                                                 [&](const auto& t) { return at->topic.starts_with(t); }))
                continue;
            entries.push_back({{"id", at->id.text()},
                               {"topic", at->topic},
                               {"kind", at->kind},
                               {"job", at->job},
                               {"time_ns", at->time_ns},
                               {"body", Json::parse(at->body, nullptr, false)}});
        }
        return Json{{"entries", entries}, {"last", last.text()}};
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
