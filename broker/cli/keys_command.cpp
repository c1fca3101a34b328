// keys new, keys add-client, keys list
#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <iostream>

#include "broker/cli/commands.hpp"
#include "common/bus/keys.hpp"

namespace sl::cli {
namespace {

// The folder that was named, or that of the configured key file.
Result<std::string> folder(const Context& c, const std::string& named) {
    if (!named.empty()) return named;
    const auto config = c.load_client_config();
    if (!config) return config.error();
    if (!config->security.keys.empty()) {
        const auto dir = std::filesystem::path(config->security.keys).parent_path().string();
        return dir.empty() ? std::string(".") : dir;
    }
    return Error{Errc::invalid_argument, "cannot tell where the keys are: none are configured",
                 "name the folder with --dir DIR"};
}

int make(Context& c, const std::string& dir) {
    if (auto ok = bus::make_keys(dir); !ok) return c.fail(ok.error());
    if (c.json) return c.print({{"fleet", dir + "/fleet.key"}, {"client", dir + "/client.key"}});
    std::cout << fmt::format(
        "{0}/fleet.key   for the fleet's hosts: security.keys, or --keys\n"
        "{0}/client.key  for clients\n",
        dir);
    return exit_ok;
}

int add(Context& c, const std::string& name, const std::string& named) {
    const auto dir = folder(c, named);
    if (!dir) return c.fail(dir.error());
    if (auto ok = bus::add_client(*dir, name); !ok) return c.fail(ok.error());
    const std::string file = *dir + "/" + name + ".key";
    if (c.json) return c.print({{"client", file}});
    std::cout << file << '\n';
    return exit_ok;
}

int list(Context& c, const std::string& named) {
    const auto dir = folder(c, named);
    if (!dir) return c.fail(dir.error());
    const auto keys = bus::load_keys(*dir + "/fleet.key");
    if (!keys) return c.fail(keys.error());
    if (c.json)
        return c.print({{"server", keys->server.public_key},
                        {"worker", keys->own.public_key},
                        {"clients", keys->clients}});
    std::cout << fmt::format("server  {:<16} {}\nworker  {:<16} {}\n", "", keys->server.public_key, "",
                             keys->own.public_key);
    for (const auto& [name, key] : keys->clients) std::cout << fmt::format("client  {:<16} {}\n", name, key);
    return exit_ok;
}

}  // namespace

void add_keys(CLI::App& app, Context& c) {
    auto* cmd = app.add_subcommand("keys", "who may join the fleet and who may use it, from other hosts");
    cmd->require_subcommand(1);
    cmd->footer(
        "With keys all sockets are encrypted, and who has none is refused. fleet.key goes to every host that "
        "runs\n"
        "a broker or workers, a client's key to the client alone; each stays readable by its owner only.\n"
        "Examples:\n"
        "  sightline keys new /etc/sightline/keys\n"
        "  sightline broker --keys /etc/sightline/keys/fleet.key --broker tcp://10.0.0.5:5550\n"
        "  sightline keys add-client gate --dir /etc/sightline/keys\n"
        "  sightline jobs --keys gate.key --broker tcp://10.0.0.5:5550");
    auto dir = std::make_shared<std::string>();
    auto name = std::make_shared<std::string>();
    auto* fresh = cmd->add_subcommand("new", "make keys of a new fleet, and one for clients");
    fresh->add_option("dir", *dir, "folder for fleet.key and client.key; nothing is overwritten")->required();
    fresh->callback([&c, dir] { c.exit_code = make(c, *dir); });
    auto* one = cmd->add_subcommand("add-client", "make the key of one more client");
    one->add_option("name", *name, "a-z, 0-9, _ and -")->required();
    one->footer(
        "Brokers that read this fleet.key admit it at once; copy the file to the hosts that have their own.\n"
        "A client whose line is removed from fleet.key is no longer let in.");
    auto* all = cmd->add_subcommand("list", "print the public keys");
    for (auto* sub : {one, all})
        sub->add_option("--dir", *dir, "folder of fleet.key (else that of security.keys)");
    one->callback([&c, name, dir] { c.exit_code = add(c, *name, *dir); });
    all->callback([&c, dir] { c.exit_code = list(c, *dir); });
}

}  // namespace sl::cli
