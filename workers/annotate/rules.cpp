#include "workers/annotate/rules.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "common/files.hpp"

namespace sl::annotate {
namespace {

using Strongest = std::map<std::string, schema::Box>;  // by class name

std::string class_name(const schema::JobSpec& spec, const schema::Box& box) {
    if (box.pool >= 0 && std::size_t(box.pool) < spec.pools.size()) {
        const auto& classes = spec.pools[std::size_t(box.pool)].classes;
        if (box.class_id >= 0 && std::size_t(box.class_id) < classes.size())
            return classes[std::size_t(box.class_id)];
    }
    return "class_" + std::to_string(box.class_id);
}

// A total order, so that the choice does not depend on the order of boxes.
bool stronger(const schema::Box& a, const schema::Box& b) {
    const auto rank = [](const schema::Box& box) {
        return std::tuple(-box.score, box.pool, box.class_id, box.x, box.y, box.width, box.height);
    };
    return rank(a) < rank(b);
}

Strongest hits(const schema::JobSpec& spec, const schema::Rule& rule, const schema::FrameBoxes& frame) {
    Strongest out;
    for (const schema::Box& box : frame.boxes) {
        if (!(double(box.score) >= rule.min_score)) continue;
        const std::string name = class_name(spec, box);
        if (!rule.classes.empty() && std::ranges::find(rule.classes, name) == rule.classes.end()) continue;
        const auto [at, fresh] = out.try_emplace(name, box);
        if (!fresh && stronger(box, at->second)) at->second = box;
    }
    return out;
}

// First pts at which a rule that fired at `pts` may fire again.
std::int64_t rested(std::int64_t pts, double cooldown_s, const schema::Rational& time_base) {
    const double ticks = std::max(0.0, cooldown_s) * time_base.den / time_base.num;
    const double end = double(pts) + ticks;
    return end < 9e18 ? pts + std::llround(ticks) : INT64_MAX;
}

std::string alert_id(const schema::JobSpec& spec, const schema::StreamInfo& info, const schema::Rule& rule,
                     const std::string& name, std::int64_t frame) {
    const char separator = '\0';
    const std::string hashed =
        info.name + separator + rule.name + separator + name + separator + std::to_string(frame);
    return spec.job + "-" + files::sha256(hashed).substr(0, 16);
}

void apply(const schema::JobSpec& spec, const schema::StreamInfo& info, const schema::Rule& rule,
           const schema::FrameBoxes& frame, std::map<std::string, schema::RuleState>& states,
           std::vector<schema::Alert>& alerts) {
    const Strongest seen = hits(spec, rule, frame);
    const std::string prefix = rule.name + "/";
    for (auto it = states.lower_bound(prefix); it != states.end() && it->first.starts_with(prefix);) {
        const bool hit = seen.contains(it->first.substr(prefix.size()));
        if (!hit) it->second.seen = 0;
        // A state that says nothing any more goes, so that the map holds only what is going on.
        it = hit || it->second.rest_until > frame.pts ? std::next(it) : states.erase(it);
    }
    const std::int32_t needed = std::max(1, rule.min_frames);
    for (const auto& [name, box] : seen) {
        schema::RuleState& state = states[prefix + name];
        state.seen = std::min(state.seen + 1, needed);
        if (state.seen < needed || frame.pts < state.rest_until) continue;
        state.rest_until = rested(frame.pts, rule.cooldown_s, info.time_base);
        const double time_s = double(frame.pts - info.start_pts) * info.time_base.num / info.time_base.den;
        alerts.push_back({alert_id(spec, info, rule, name, frame.frame), spec.job, info.name, rule.name, name,
                          frame.frame, time_s, box});
    }
}

}  // namespace

Rules::Rules(const schema::JobSpec& spec, const schema::StreamInfo& info) : spec_(spec), info_(info) {}

Result<void> Rules::load(const schema::StreamState& state) {
    state_.rules = state.rules;
    return {};
}

void Rules::save(schema::StreamState& state) const {
    state.rules = state_.rules;
}

void Rules::apply(const schema::FrameBoxes& tracked, const schema::FrameBoxes&,
                  std::vector<schema::Alert>& alerts, std::vector<std::string>&) {
    for (const schema::Rule& rule : spec_.rules)
        annotate::apply(spec_, info_, rule, tracked, state_.rules, alerts);
}

}  // namespace sl::annotate
