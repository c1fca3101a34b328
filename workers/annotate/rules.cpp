#include "workers/annotate/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "common/files.hpp"
#include "common/time_zone.hpp"
#include "common/tracking.hpp"
#include "schema/codec.hpp"
#include "workers/annotate/rule_memory.hpp"
#include "workers/annotate/rule_trace.hpp"
#include "workers/annotate/zones.hpp"

namespace sl::annotate {
namespace {

using schema::Box;
using schema::FrameBoxes;

// Bounds of the memory; a camera that reaches them forgets what it saw longest ago.
constexpr std::size_t most_subjects = 1000, most_followed = 1000, most_said = 8;
constexpr double untracked_s = 60;  // boxes without a track are reported at least this often

enum class Kind { present, enter, exit, dwell, line, count };

Kind kind_of(const std::string& name) {
    if (name == "enter") return Kind::enter;
    if (name == "exit") return Kind::exit;
    if (name == "dwell") return Kind::dwell;
    if (name == "line") return Kind::line;
    if (name == "count") return Kind::count;
    return Kind::present;
}

struct Span {  // Hours, compiled
    unsigned days = 0;
    int from = 0, to = 0;  // minutes
    bool holds(const WallTime& t) const {
        const auto on = [&](int day) { return (days >> day & 1) != 0; };
        if (from < to) return on(t.weekday) && from <= t.minute && t.minute < to;
        // Over midnight: the hours after it belong to the day before.
        return (on(t.weekday) && from <= t.minute) || (on((t.weekday + 6) % 7) && t.minute < to);
    }
};

struct Compiled {
    const schema::Rule* rule = nullptr;
    Kind kind = Kind::present;
    bool plain = false;     // tells `new` alone
    bool by_class = false;  // about class names
    bool nowhere = false;   // it cannot hold: admission would have refused it
    std::optional<Place> place;
    std::int32_t needed = 1;
    std::int64_t cooldown = 0, debounce = 0, dwell = 0, update = 0, window = 0;  // ticks
    std::size_t most_told = 0;  // alerts in a window; 0: no limit
    std::vector<Span> schedule;
    std::optional<TimeZone> zone;
};

// What a rule sees of a subject on one frame.
struct Sight {
    Box box;
    std::string name;     // of its class
    bool strong = false;  // at least min_score
    bool inside = false;
};

// A total order, so that the choice does not depend on the order of boxes.
bool stronger(const Box& a, const Box& b) {
    const auto rank = [](const Box& box) {
        return std::tuple(-box.score, box.pool, box.class_id, box.x, box.y, box.width, box.height);
    };
    return rank(a) < rank(b);
}

std::string hashed(const std::vector<std::string>& fields) {
    std::string all;
    for (const std::string& field : fields)
        all += (&field == &fields.front() ? "" : std::string(1, '\0')) + field;
    return files::sha256(all).substr(0, 16);
}

}  // namespace

class Rules::Impl {
public:
    Impl(const schema::JobSpec& spec, const schema::StreamInfo& info) : spec_(spec), info_(info) {
        by_track_ = tracking_of(spec, info.source).kind != "none";
        keep_ = ticks(spec.tracker.keep_s);
        for (const schema::Rule& rule : spec_.rules) compile(rule);
        for (const auto& pool : spec_.pools) {
            const auto at = pool.name.rfind('/');
            models_.push_back(at == std::string::npos ? pool.name : pool.name.substr(at + 1));
        }
    }

    Result<void> load(const schema::StreamState& state) {
        if (error_) return *error_;
        if (state.incidents.empty()) return {};
        auto memory = schema::decode<Memory>(state.incidents, "the state of rules");
        if (!memory) return memory.error();
        memory_ = std::move(*memory);
        return {};
    }
    void save(schema::StreamState& state) const { state.incidents = schema::encode(memory_); }

    void apply(const FrameBoxes& tracked, const FrameBoxes& raw, std::vector<schema::Alert>& alerts,
               std::vector<std::string>& traces) {
        frame_ = tracked.frame;
        pts_ = tracked.pts;
        alerts_ = &alerts;
        told_.clear();
        follow(tracked, raw);
        end_removed();
        for (const Compiled& rule : rules_) decide(rule, tracked);
        for (const std::int64_t track : told_)
            if (const auto t = memory_.tracks.find(track); t != memory_.tracks.end())
                traces.push_back(trace_json(spec_, info_, track, t->second, false));
        forget(traces);
        memory_.begun = true;
    }

    void finish(std::vector<std::string>& traces) const {
        for (const auto& [track, t] : memory_.tracks)
            traces.push_back(trace_json(spec_, info_, track, t, true));
        for (const auto& [name, t] : memory_.untracked)
            traces.push_back(trace_json(spec_, info_, 0, t, true));
    }

private:
    std::int64_t ticks(double seconds) const {
        const double n = std::max(0.0, seconds) * info_.time_base.den / info_.time_base.num;
        return n < 9e18 ? std::llround(n) : INT64_MAX;
    }
    double seconds(std::int64_t n) const { return double(n) * info_.time_base.num / info_.time_base.den; }

    void compile(const schema::Rule& rule) {
        Compiled c;
        c.rule = &rule;
        c.kind = kind_of(rule.kind);
        c.needed = std::max(1, rule.min_frames);
        c.cooldown = ticks(rule.cooldown_s);
        c.debounce = ticks(rule.debounce_s);
        c.dwell = ticks(rule.dwell_s);
        c.update = ticks(rule.update_s);
        c.plain = spec_.camera.empty() && c.kind == Kind::present && rule.zone.empty() && rule.update_s <= 0;
        c.by_class = c.plain || !by_track_;
        const auto zone = std::ranges::find(spec_.zones, rule.zone, &schema::Zone::name);
        if (zone != spec_.zones.end()) c.place.emplace(*zone, info_.width, info_.height);
        c.nowhere =
            c.place ? c.place->line() != (c.kind == Kind::line) : !rule.zone.empty() || c.kind == Kind::line;
        // Without tracks there are no ways to cross a line on.
        if (c.kind == Kind::line && c.by_class) c.nowhere = true;
        if (rule.max_per_minute > 0) {  // less than one a minute: one in a longer time
            c.most_told = std::size_t(std::max(1.0, std::floor(rule.max_per_minute)));
            c.window = ticks(60 * double(c.most_told) / rule.max_per_minute);
        }
        // A job has no clock.
        if (!spec_.camera.empty())
            for (const auto& hours : rule.schedule) {
                Span span;
                for (const auto& day : hours.days) span.days |= 1u << weekday_of(day).value_or(0);
                if (hours.days.empty()) span.days = 0x7f;
                span.from = minute_of_day(hours.from).value_or(0);
                span.to = minute_of_day(hours.to).value_or(24 * 60);
                c.schedule.push_back(span);
            }
        if (!c.schedule.empty()) {
            auto found = TimeZone::find(rule.timezone);
            if (found)
                c.zone = *found;
            else
                error_ = found.error();
        }
        rules_.push_back(std::move(c));
    }

    std::string class_name(const Box& box) const {
        if (box.pool >= 0 && std::size_t(box.pool) < spec_.pools.size()) {
            const auto& classes = spec_.pools[std::size_t(box.pool)].classes;
            if (box.class_id >= 0 && std::size_t(box.class_id) < classes.size())
                return classes[std::size_t(box.class_id)];
        }
        return "class_" + std::to_string(box.class_id);
    }
    static bool about(const schema::Rule& rule, const std::string& name) {
        const auto has = [&](const auto& list) { return std::ranges::find(list, name) != list.end(); };
        return rule.classes.empty() ? !has(rule.except) : has(rule.classes);
    }

    // --- why and why not

    void follow(const FrameBoxes& tracked, const FrameBoxes& raw) {
        if (!by_track_) return;
        const auto saw = [&](Followed& t, const Box& box, bool fresh, bool weak) {
            if (fresh) t.from = pts_;
            t.to = pts_;
            t.class_name = class_name(box);
            (weak ? t.weak_frames : t.frames) += 1;
            float& best = weak ? t.weak_best : t.best;
            best = std::max(best, box.score);
        };
        for (const Box& box : tracked.boxes) {
            if (box.track == 0) continue;
            const auto [at, fresh] = memory_.tracks.try_emplace(box.track);
            saw(at->second, box, fresh, false);
        }
        std::map<std::string, Box> weak;  // without a track: the strongest of each class
        for (const Box& box : raw.boxes) {
            if (box.score >= float(spec_.confidence)) continue;  // as step() compares
            if (const auto at = memory_.tracks.find(box.track);
                box.track != 0 && at != memory_.tracks.end()) {
                saw(at->second, box, false, true);
                continue;
            }
            const std::string name = class_name(box);
            if (std::ranges::none_of(rules_, [&](const Compiled& c) { return about(*c.rule, name); }))
                continue;
            const auto [at, fresh] = weak.try_emplace(name, box);
            if (!fresh && stronger(box, at->second)) at->second = box;
        }
        for (const auto& [name, box] : weak) {
            const auto [at, fresh] = memory_.untracked.try_emplace(name);
            saw(at->second, box, fresh, true);
        }
    }

    Finding* finding(const Compiled& c, std::int64_t track) {
        const auto at = memory_.tracks.find(track);
        return track == 0 || at == memory_.tracks.end() ? nullptr : &at->second.findings[c.rule->name];
    }
    bool was_said(const Compiled& c, std::int64_t track, const std::string& text) {
        const Finding* f = finding(c, track);
        return f && std::ranges::find(f->said, text, &Said::text) != f->said.end();
    }
    void say(const Compiled& c, std::int64_t track, const std::string& text) {
        Finding* f = finding(c, track);
        if (f && f->said.size() < most_said && !was_said(c, track, text)) f->said.push_back({text, pts_});
    }

    void forget(std::vector<std::string>& traces) {
        const auto gone = [&](std::int64_t to) { return to != pts_ && (pts_ < to || pts_ - to > keep_); };
        for (auto it = memory_.tracks.begin(); it != memory_.tracks.end();) {
            const bool over = gone(it->second.to) || memory_.tracks.size() > most_followed;
            if (over) traces.push_back(trace_json(spec_, info_, it->first, it->second, true));
            it = over ? memory_.tracks.erase(it) : std::next(it);
        }
        for (auto it = memory_.untracked.begin(); it != memory_.untracked.end();) {
            const bool over = gone(it->second.to) || pts_ - it->second.from > ticks(untracked_s);
            if (over) traces.push_back(trace_json(spec_, info_, 0, it->second, true));
            it = over ? memory_.untracked.erase(it) : std::next(it);
        }
    }

    // --- what a rule sees

    std::map<SubjectKey, Sight> look(const Compiled& c, const FrameBoxes& tracked) {
        const schema::Rule& rule = *c.rule;
        std::map<SubjectKey, Sight> seen;
        counted_.clear();
        for (const Box& box : tracked.boxes) {
            Sight sight{box, class_name(box), double(box.score) >= rule.min_score, !c.nowhere};
            Finding* f = by_track_ ? finding(c, box.track) : nullptr;
            if (!about(rule, sight.name)) continue;
            if (f) f->best = std::max(f->best, box.score);
            if (c.place && !c.nowhere && c.kind != Kind::line) {
                const auto where = c.place->where(box);
                sight.inside = where.inside;
                if (f && sight.strong && !where.inside) {
                    const auto px = float(where.outside_px);
                    f->outside_px = f->outside_px < 0 ? px : std::min(f->outside_px, px);
                    f->share = std::max(f->share, float(where.share));
                }
            }
            if (f && sight.strong && sight.inside) f->inside = true;
            if (sight.strong && sight.inside && c.kind == Kind::count) counted_.push_back(box.track);
            SubjectKey key;
            if (c.kind != Kind::count) {
                if (c.by_class)
                    key.second = sight.name;
                else if (box.track == 0)
                    continue;  // not confirmed yet
                else
                    key.first = box.track;
            }
            const auto [at, fresh] = seen.try_emplace(key, sight);
            Sight& best = at->second;
            // Who fulfils the condition stands for all others.
            const auto rank = [](const Sight& s) { return s.strong && s.inside; };
            if (!fresh && (rank(sight) != rank(best) ? rank(sight) : stronger(box, best.box))) best = sight;
        }
        return seen;
    }

    // --- what it decides

    void decide(const Compiled& c, const FrameBoxes& tracked) {
        const auto seen = look(c, tracked);
        RuleMemory& memory = memory_.rules[c.rule->name];
        std::erase_if(memory.rests, [&](const auto& rest) { return !rests(c, rest.second); });
        std::erase_if(memory.told, [&](std::int64_t pts) { return pts > pts_ || pts_ - pts >= c.window; });
        for (const auto& [key, sight] : seen) {
            const auto [at, fresh] = memory.subjects.try_emplace(key);
            // What begins has come into the picture; a zone it must have been seen outside of before.
            if (fresh) at->second.outside = c.rule->zone.empty() || (key.first == 0 && memory_.begun);
        }
        for (auto it = memory.subjects.begin(); it != memory.subjects.end();) {
            const auto sight = seen.find(it->first);
            const bool over =
                advance(c, memory, it->first, it->second, sight == seen.end() ? nullptr : &sight->second);
            if (c.kind == Kind::count)
                for (const std::int64_t track : counted_)
                    if (Finding* f = finding(c, track)) {
                        f->run = std::max(f->run, it->second.run);
                        f->count = std::max(f->count, std::int32_t(counted_.size()));
                    }
            it = over ? memory.subjects.erase(it) : std::next(it);
        }
        while (memory.subjects.size() > most_subjects) memory.subjects.erase(memory.subjects.begin());
        if (memory.subjects.empty() && memory.rests.empty() && memory.told.empty())
            memory_.rules.erase(c.rule->name);
    }

    // True: there is nothing to remember of the subject.
    bool advance(const Compiled& c, RuleMemory& memory, const SubjectKey& key, Subject& s,
                 const Sight* sight) {
        const bool is_class = key.first == 0;  // and so always in view: who is not there is outside
        const bool hit = sight && sight->strong && sight->inside &&
                         (c.kind != Kind::count || std::int64_t(counted_.size()) > c.rule->limit);
        const bool out = sight ? !sight->inside : is_class;
        const std::int64_t track = sight ? sight->box.track : key.first;
        if (s.incident) settle(c, s, hit ? sight : nullptr);

        if (hit) {
            const bool again = s.held != INT64_MIN && s.run == 0 && pts_ - s.held <= c.debounce;
            if (s.run == 0 && !again) s.since = pts_;
            if (again && s.incident) say(c, track, "debounced by alert " + s.incident->alert);
            s.run = std::min(s.run + 1, c.needed);
            s.held = pts_;
        } else {
            s.run = 0;
        }
        if (sight) s.seen = pts_;
        if (sight && sight->strong) s.frames = std::min(s.frames + 1, c.needed);
        if (Finding* f = finding(c, track)) {
            f->run = std::max(f->run, s.run);
            if (hit) f->stayed = std::max(f->stayed, pts_ - s.since);
        }

        std::string why;  // set: the condition came about
        switch (c.kind) {
            case Kind::present:
                if (s.run >= c.needed) why = held(c, "on");
                break;
            case Kind::count:
                if (s.run >= c.needed)
                    why = fmt::format("{} at once, more than {}; {}", counted_.size(), c.rule->limit,
                                      held(c, "on"));
                break;
            case Kind::dwell:
                if (s.run >= c.needed && pts_ - s.since >= c.dwell)
                    why = fmt::format("stayed {:.1f} s", seconds(pts_ - s.since));
                break;
            case Kind::enter:
                if (s.run >= c.needed && s.outside) {
                    s.outside = false;
                    why = held(c, "came in;");
                } else if (out && !s.incident) {
                    s.outside = true;
                }
                break;
            case Kind::exit:
                if (s.run >= c.needed) s.inside = true;
                s.away = hit ? 0 : s.away + (out && s.inside);
                if (s.inside && s.away >= c.needed) {
                    s.inside = false;
                    why = held(c, "left;");
                }
                break;
            case Kind::line:
                if (sight && !c.nowhere) why = cross(c, s, *sight);
                break;
        }
        // A track that ended in the picture has left the picture, not a zone.
        const bool lost = !sight && !is_class && (pts_ < s.seen || pts_ - s.seen > keep_);
        if (lost && c.kind == Kind::exit && c.rule->zone.empty() && s.inside) {
            s.inside = false;
            why = fmt::format("not seen for {:.1f} s", seconds(pts_ - s.seen));
        }
        if (sight && c.kind == Kind::exit) s.box = sight->box;
        if (!why.empty()) fire(c, memory, key, s, sight, why);

        if (s.incident || s.run > 0) return false;
        if (!is_class) return lost;
        if (c.kind == Kind::dwell) return s.held == INT64_MIN || pts_ - s.held > c.debounce;
        if (c.kind == Kind::exit) return !s.inside;
        return c.kind != Kind::enter || out;
    }

    std::string held(const Compiled& c, const char* what) const {
        return fmt::format("{} {} frame{} in a row", what, c.needed, c.needed == 1 ? "" : "s");
    }

    std::string cross(const Compiled& c, Subject& s, const Sight& sight) {
        const schema::Point now = bottom_center(sight.box);
        const std::vector<double> before = std::exchange(s.foot, {now.x, now.y});
        if (before.size() != 2) return "";
        const auto& line = c.place->points();
        const int side = crossing(line[0], line[1], {before[0], before[1]}, now);
        if (side == 0) return "";
        if (Finding* f = finding(c, sight.box.track)) f->sides |= side > 0 ? 1 : 2;
        const bool wanted = c.rule->direction == "both" || (c.rule->direction == "forward") == (side > 0);
        if (!wanted || s.frames < c.needed || !sight.strong) return "";
        return std::string("crossed ") + (side > 0 ? "forward" : "backward");
    }

    bool rests(const Compiled& c, const Fired& last) const {
        return last.pts <= pts_ && pts_ - last.pts < c.cooldown;
    }

    void fire(const Compiled& c, RuleMemory& memory, const SubjectKey& key, Subject& s, const Sight* sight,
              const std::string& why) {
        const Box box = sight ? sight->box : s.box.value_or(Box{});
        const std::string name = sight ? sight->name : class_name(box);
        if (s.incident) {  // an event again, before the last one was over
            if (c.kind == Kind::line || c.kind == Kind::exit) {
                say(c, box.track, "debounced by alert " + s.incident->alert);
                s.incident->held = pts_;
                s.incident->box = box;
            }
            return;
        }
        if (c.zone && std::ranges::none_of(
                          c.schedule, [now = c.zone->at(pts_)](const Span& span) { return span.holds(now); }))
            return say(c, box.track, "out of schedule");
        const std::string resting = c.kind == Kind::count ? "" : name;
        if (const auto rest = memory.rests.find(resting); rest != memory.rests.end()) {
            const std::string& last = rest->second.alert;
            // Its own alert is no reason why it was not told about.
            if (!was_said(c, box.track, "alert " + last)) say(c, box.track, "cooled down by alert " + last);
            return;
        }
        if (c.most_told > 0 && memory.told.size() >= c.most_told)
            return say(c, box.track, fmt::format("over {:g} alerts a minute", c.rule->max_per_minute));

        const std::string alert = alert_id(*c.rule, name, key.first);
        if (c.cooldown > 0) memory.rests[resting] = {pts_, alert};
        if (c.most_told > 0) memory.told.push_back(pts_);
        say(c, box.track, "alert " + alert);
        told_.insert(box.track);
        std::string who = key.first == 0 ? name : fmt::format("{} {}", name, key.first);
        std::vector<std::string> trace{
            fmt::format("{} seen at {:.2f}, min_score {:.2f}", who, box.score, c.rule->min_score)};
        if (c.place && c.kind == Kind::line)
            trace.push_back("line " + c.rule->zone + ": " + why);
        else if (c.place)
            trace.push_back(fmt::format("zone {} ({}): {}", c.rule->zone, c.place->inside(), why));
        else
            trace.push_back(why);
        tell(*c.rule, "new", alert, name, box, 0, std::move(trace));
        if (!c.plain) s.incident = Incident{alert, name, box, pts_, pts_, pts_, 0};
    }

    // Carries on with an open incident, or ends it. `hit`: who fulfils its condition; null: nobody.
    void settle(const Compiled& c, Subject& s, const Sight* hit) {
        Incident& incident = *s.incident;
        const bool event = c.kind == Kind::line || c.kind == Kind::exit;
        if (hit && !event) {
            incident.held = pts_;
            incident.box = hit->box;
        }
        const std::int64_t absent = pts_ - incident.held;
        if ((event || !hit) && (absent >= c.debounce || absent < 0)) {
            end(*c.rule, incident,
                fmt::format("over for {:.1f} s", seconds(std::max<std::int64_t>(0, absent))));
            s.incident.reset();
        } else if (c.update > 0 && !event && hit && pts_ - incident.told >= c.update) {
            incident.told = pts_;
            tell(*c.rule, "update", incident.alert, incident.class_name, incident.box, ++incident.update,
                 {fmt::format("lasts for {:.1f} s", seconds(pts_ - incident.began))});
        }
    }
    void end(const schema::Rule& rule, const Incident& incident, const std::string& why) {
        tell(rule, "end", incident.alert, incident.class_name, incident.box, 0, {why});
    }
    // Incidents of rules that are no more.
    void end_removed() {
        for (auto it = memory_.rules.begin(); it != memory_.rules.end();) {
            if (std::ranges::any_of(spec_.rules, [&](const auto& r) { return r.name == it->first; })) {
                ++it;
                continue;
            }
            schema::Rule gone;
            gone.name = it->first;
            for (const auto& [key, subject] : it->second.subjects)
                if (subject.incident) end(gone, *subject.incident, "the rule was removed");
            it = memory_.rules.erase(it);
        }
    }

    std::string alert_id(const schema::Rule& rule, const std::string& name, std::int64_t track) const {
        // Frames of a camera are numbered anew with each connection; the time of capture is not.
        const bool live = !spec_.camera.empty();
        std::vector<std::string> fields{info_.name, rule.name, name};
        if (track != 0) fields.push_back(std::to_string(track));
        fields.push_back(std::to_string(live ? pts_ : frame_));
        return (live ? spec_.camera : spec_.job) + "-" + hashed(fields);
    }

    void tell(const schema::Rule& rule, const char* kind, const std::string& alert, const std::string& name,
              const Box& box, std::int32_t update, std::vector<std::string> trace) {
        schema::Alert a;
        a.alert = alert;
        a.job = spec_.camera.empty() ? spec_.job : "";
        a.stream = info_.name;
        a.rule = rule.name;
        a.class_name = name;
        a.frame = frame_;
        a.time_s = seconds(pts_ - info_.start_pts);
        a.box = box;
        a.kind = kind;
        a.update = update;
        a.camera = spec_.camera;
        a.capture_ns = spec_.camera.empty() ? 0 : pts_;
        a.zone = rule.zone;
        for (const Compiled& c : rules_)
            if (c.rule->name == rule.name && c.place && !c.place->line())
                a.roi_hit = c.place->where(box).inside;
        if (box.pool >= 0 && std::size_t(box.pool) < models_.size()) a.model = models_[std::size_t(box.pool)];
        a.preset = spec_.preset + (spec_.preset_version.empty() ? "" : "@" + spec_.preset_version);
        a.trace = std::move(trace);
        alerts_->push_back(std::move(a));
    }

    const schema::JobSpec spec_;
    const schema::StreamInfo info_;
    bool by_track_ = false;
    std::int64_t keep_ = 0;  // ticks
    std::vector<Compiled> rules_;
    std::vector<std::string> models_;  // by pool
    std::optional<Error> error_;
    Memory memory_;

    // Of the frame in hand.
    std::int64_t frame_ = 0, pts_ = 0;
    std::vector<schema::Alert>* alerts_ = nullptr;
    std::set<std::int64_t> told_;        // tracks with an alert
    std::vector<std::int64_t> counted_;  // tracks that the rule in hand counts
};

Rules::Rules(const schema::JobSpec& spec, const schema::StreamInfo& info)
    : impl_(std::make_unique<Impl>(spec, info)) {}
Rules::~Rules() = default;
Result<void> Rules::load(const schema::StreamState& state) {
    return impl_->load(state);
}
void Rules::save(schema::StreamState& state) const {
    impl_->save(state);
}
void Rules::apply(const FrameBoxes& tracked, const FrameBoxes& raw, std::vector<schema::Alert>& alerts,
                  std::vector<std::string>& traces) {
    impl_->apply(tracked, raw, alerts, traces);
}
void Rules::finish(std::vector<std::string>& traces) const {
    impl_->finish(traces);
}

}  // namespace sl::annotate
