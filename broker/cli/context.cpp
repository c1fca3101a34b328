#include "broker/cli/context.hpp"

#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace sl::cli {

std::vector<config::Override> Context::overrides() const {
    std::vector<config::Override> out;
    for (const std::string& text : settings) {
        const auto equals = std::min(text.find('='), text.size());
        out.emplace_back(text.substr(0, equals), equals < text.size() ? text.substr(equals + 1) : "");
    }
    if (!broker.empty()) out.emplace_back("broker.endpoint", broker);
    if (!keys.empty()) out.emplace_back("security.keys", keys);
    if (insecure) out.emplace_back("security.insecure", "true");
    return out;
}

Result<config::Config> Context::load_config() const {
    return config::load(config_file, overrides());
}

Result<config::Config> Context::load_client_config() const {
    const std::string fleet = std::string(default_state_dir) + "/sightline.yaml";
    const char* named = std::getenv("SIGHTLINE_CONFIG");
    const bool here = config_file.empty() && !(named && *named) && std::filesystem::exists(fleet);
    return config::load(here ? fleet : config_file, overrides());
}

Result<Client*> Context::client() {
    if (!client_) {
        auto config = load_client_config();
        if (!config) return config.error();
        Client::Options options;
        options.endpoints = config::endpoints(*config);
        auto security = bus::Security::open(config->security.keys, config->security.insecure);
        if (!security) return security.error();
        options.security = std::move(*security);
        options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(timeout_s * 1000));
        client_ = std::make_unique<Client>(zmq_, std::move(options));
    }
    return client_.get();
}

Result<nlohmann::json> Context::request(const nlohmann::json& fields) {
    auto c = client();
    if (!c) return c.error();
    return (*c)->request(fields);
}

int Context::fail(const Error& error) const {
    std::cerr << "error: " << error.message << '\n';
    if (!error.hint.empty()) std::cerr << "  hint: " << error.hint << '\n';
    if (json)
        print(
            {{"error", {{"code", code_name(error.code)}, {"message", error.message}, {"hint", error.hint}}}});
    return error.code == Errc::canceled && error.message == "interrupted" ? exit_interrupted
                                                                          : cli::exit_code(error.code);
}

int Context::print(const nlohmann::ordered_json& document) const {
    std::cout << document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
    return exit_ok;
}

void Context::print_line(const nlohmann::ordered_json& line) const {
    std::cout << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
}

}  // namespace sl::cli
