#include "broker/cli/location.hpp"

#include <filesystem>

#include "common/spelling.hpp"

namespace sl::cli {
namespace fs = std::filesystem;

Result<schema::Input> locate(const config::Config& config, const std::string& path, bool may_be_missing) {
    std::error_code ec;
    const auto colon = path.find(':');
    if (!fs::exists(path, ec) && colon != std::string::npos && path.find('/') > colon)
        return schema::Input{path.substr(0, colon), path.substr(colon + 1)};
    if (!fs::exists(path, ec) && !may_be_missing)
        return Error{Errc::not_found, "cannot find " + path + " on this machine",
                     "name an existing file or folder, or ROOT:PATH for one that the fleet's hosts have"};
    const fs::path full = fs::weakly_canonical(path, ec);

    schema::Input best;
    std::size_t depth = 0;
    std::vector<std::string> roots;
    for (const auto& [name, folder] : config.roots) {
        roots.push_back(name + " = " + folder);
        const fs::path root = fs::weakly_canonical(folder, ec);
        const fs::path below = full.lexically_relative(root);
        if (below.empty() || *below.begin() == "..") continue;
        if (root.string().size() < depth) continue;
        depth = root.string().size();
        best = {name, below.string()};
    }
    if (!best.root.empty()) return best;
    if (roots.empty())
        return Error{Errc::invalid_argument,
                     "cannot name " + full.string() + " to the fleet: no roots are configured here",
                     "start a fleet here with `sightline up` (this folder becomes a root), add the folder "
                     "below `roots:` in the "
                     "configuration, or name the file as ROOT:PATH"};
    return Error{Errc::invalid_argument,
                 "cannot name " + full.string() + " to the fleet: it lies outside every root",
                 "roots: " + join(roots) + "; move the file below one, or add a root for it"};
}

std::string local_path(const config::Config& config, const std::string& root, const std::string& path) {
    const auto at = config.roots.find(root);
    return at == config.roots.end() ? "" : (fs::path(at->second) / path).lexically_normal().string();
}

}  // namespace sl::cli
