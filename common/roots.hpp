// Roots: named folders that every host which reads or writes media has mounted, and where the files of a
// job lie below its output.
#pragma once

#include <map>
#include <string>

#include "common/files.hpp"
#include "schema/types.hpp"

namespace sl {

class Roots {
public:
    Roots() = default;
    explicit Roots(std::map<std::string, std::string> folders) : folders_(std::move(folders)) {}

    const std::map<std::string, std::string>& folders() const { return folders_; }
    // An existing file or folder; refuses what leads out of the root.
    Result<std::string> resolve(const schema::Input& in) const {
        const auto root = folders_.find(in.root);
        if (root == folders_.end()) return unknown(in.root);
        return files::resolve_below(in.root, root->second, in.path);
    }
    // A place that need not exist yet.
    Result<std::string> place(const schema::Input& in) const {
        const auto root = folders_.find(in.root);
        if (root == folders_.end()) return unknown(in.root);
        return files::place_below(in.root, root->second, in.path);
    }

private:
    static Error unknown(const std::string& name) {
        return Error{Errc::invalid_argument, "there is no root '" + name + "' on this host",
                     "name it under `roots:` in the configuration"};
    }
    std::map<std::string, std::string> folders_;
};

// Relative to the output's root.
inline std::string outputs_path(const schema::JobSpec& spec) {
    return (spec.output.path.empty() ? "" : spec.output.path + "/") + spec.job;
}
inline std::string work_path(const schema::JobSpec& spec) {
    return (spec.output.path.empty() ? "" : spec.output.path + "/") + ".work/" + spec.job;
}

}  // namespace sl
