#include "common/yaml.hpp"

#include "common/files.hpp"

namespace sl::yaml {

Result<YAML::Node> load(const std::string& path) {
    auto text = files::read(path);
    if (!text) return text.error();
    try {
        return YAML::Load(*text);
    } catch (const YAML::Exception& e) {
        return Error{Errc::invalid_argument,
                     "cannot read " + path + ":" + std::to_string(e.mark.line + 1) + ": " + e.msg,
                     "it must be YAML; mind the indentation"};
    }
}

nlohmann::ordered_json to_json(const YAML::Node& node) {
    using nlohmann::ordered_json;
    if (!node.IsDefined() || node.IsNull()) return nullptr;
    if (node.IsSequence()) {
        ordered_json out = ordered_json::array();
        for (const auto& item : node) out.push_back(to_json(item));
        return out;
    }
    if (node.IsMap()) {
        ordered_json out = ordered_json::object();
        for (const auto& item : node) out[item.first.Scalar()] = to_json(item.second);
        return out;
    }
    if (node.Tag() == "!") return node.Scalar();  // quoted
    if (std::int64_t i = 0; YAML::convert<std::int64_t>::decode(node, i)) return i;
    if (double d = 0; YAML::convert<double>::decode(node, d)) return d;
    if (node.Scalar() == "true" || node.Scalar() == "false") return node.Scalar() == "true";
    return node.Scalar();
}

namespace {

constexpr char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.";

void emit(YAML::Emitter& out, const nlohmann::ordered_json& value) {
    if (value.is_object()) {
        out << (value.empty() ? YAML::Flow : YAML::Block) << YAML::BeginMap;
        for (const auto& [key, item] : value.items()) {
            out << YAML::Key << key << YAML::Value;
            emit(out, item);
        }
        out << YAML::EndMap;
    } else if (value.is_array()) {
        const bool nested = !value.empty() && value.front().is_structured();
        out << (nested ? YAML::Block : YAML::Flow) << YAML::BeginSeq;
        for (const auto& item : value) emit(out, item);
        out << YAML::EndSeq;
    } else if (value.is_string()) {
        const auto text = value.get<std::string>();
        // Quoted unless it plainly reads back as the same string.
        const bool plain = !text.empty() && text.find_first_not_of(letters) == std::string::npos &&
                           to_json(YAML::Load(text)) == text;
        if (plain)
            out << text;
        else
            out << YAML::DoubleQuoted << text;
    } else {
        out << value.dump();
    }
}

}  // namespace

std::string from_json(const nlohmann::ordered_json& value) {
    YAML::Emitter out;
    emit(out, value);
    return std::string(out.c_str()) + "\n";
}

std::string place(const std::string& path, const YAML::Node& node) {
    return path + ":" + std::to_string(node.Mark().line + 1);
}

}  // namespace sl::yaml
