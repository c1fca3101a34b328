#include "common/alert_filter.hpp"

#include <fnmatch.h>

#include <algorithm>

namespace sl {
namespace {

bool among(const std::vector<std::string>& names, const std::string& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

bool wanted(const AlertFilter& filter, const schema::Alert& alert) {
    return among(filter.classes, alert.class_name) && among(filter.rules, alert.rule) &&
           among(filter.kinds, alert.kind) &&
           (filter.cameras.empty() ||
            std::any_of(filter.cameras.begin(), filter.cameras.end(), [&](const std::string& pattern) {
                return ::fnmatch(pattern.c_str(), alert.stream.c_str(), 0) == 0;
            }));
}

}  // namespace sl
