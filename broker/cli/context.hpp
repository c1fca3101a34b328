// What every command shares: the global options, the configuration (read when first asked for), the client,
// and how results and errors are printed. Lives in main, for the whole run; used by one thread.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "broker/cli/client.hpp"
#include "broker/cli/exit_code.hpp"
#include "common/config.hpp"

namespace sl::cli {

class Context {
public:
    // Set by the command line, before any command runs.
    std::string config_file;            // --config
    std::string broker;                 // --broker
    std::string keys;                   // --keys
    bool insecure = false;              // --insecure
    std::vector<std::string> settings;  // --option section.key=value
    bool json = false;                  // --json
    double timeout_s = 5;               // --timeout: of one request
    int exit_code = exit_ok;            // what main returns

    // The configuration in force. For a client, the fleet that `sightline up` started in this folder comes
    // before ./sightline.yaml, when nothing else was named.
    Result<config::Config> load_config() const;
    Result<config::Config> load_client_config() const;

    // Connected lazily; the same for the whole run.
    Result<Client*> client();
    Result<nlohmann::json> request(const nlohmann::json& fields);

    // Prints "error: …" to stderr (with --json also {"error": {code, message, hint}} to stdout); the status.
    int fail(const Error& error) const;
    // Prints one JSON document to stdout, indented, and returns exit_ok.
    int print(const nlohmann::ordered_json& document) const;
    // Prints one line of a stream and flushes.
    void print_line(const nlohmann::ordered_json& line) const;

private:
    std::vector<config::Override> overrides() const;

    zmq::context_t zmq_{1};
    std::unique_ptr<Client> client_;
};

// Where `sightline up` keeps its fleet unless told otherwise, below the current folder.
inline constexpr const char* default_state_dir = ".sightline/fleet";

}  // namespace sl::cli
