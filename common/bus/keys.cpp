#include "common/bus/keys.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/files.hpp"

namespace sl::bus {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t key_length = 40;  // Z85 of 32 bytes

KeyPair make_pair() {
    std::array<char, key_length + 1> open{}, secret{};
    zmq_curve_keypair(open.data(), secret.data());  // cannot fail: libzmq is built with CURVE
    return {open.data(), secret.data()};
}

Json to_json(const KeyPair& pair) {
    Json out{{"public", pair.public_key}};
    if (!pair.secret_key.empty()) out["secret"] = pair.secret_key;
    return out;
}

std::string text_of(const Keys& keys, const std::string& name) {
    Json out;
    if (keys.of_fleet()) {
        out = {{"sightline", "fleet key"},
               {"note", "secret: for the fleet's hosts alone; a client gets a file of its own"},
               {"server", to_json(keys.server)},
               {"worker", to_json(keys.own)},
               {"clients", keys.clients}};
    } else {
        out = {{"sightline", "client key"},
               {"note", "secret: for the client " + name},
               {"server", to_json(keys.server)},
               {"client", to_json(keys.own)}};
    }
    return out.dump(2) + "\n";
}

// A new file of mode 0600, durable. conflict: it is there.
Result<void> create(const std::string& file, const std::string& text) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        const int why = errno;
        return Error{why == EEXIST ? Errc::conflict : Errc::io,
                     "cannot write the keys " + file + ": " + std::strerror(why),
                     why == EEXIST
                         ? "keys are never overwritten: move the old file away, or choose another folder"
                         : "choose a folder that can be written"};
    }
    const bool written = ::write(fd, text.data(), text.size()) == ssize_t(text.size()) && ::fsync(fd) == 0;
    ::close(fd);
    if (written) return files::sync(std::filesystem::path(file).parent_path().string());
    ::unlink(file.c_str());
    return Error{Errc::io, "cannot write the keys " + file, "is the disk full?"};
}

std::string key_of(const Json& file, const char* who, const char* which) {
    const auto pair = file.find(who);
    if (pair == file.end() || !pair->is_object()) return "";
    const auto key = pair->find(which);
    return key == pair->end() || !key->is_string() ? "" : key->get<std::string>();
}

bool is_key(const std::string& text) {
    std::array<std::uint8_t, key_length / 5 * 4> bytes{};
    return text.size() == key_length && zmq_z85_decode(bytes.data(), text.c_str()) != nullptr;
}

}  // namespace

Result<Keys> load_keys(const std::string& file) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0)
        return Error{errno == ENOENT ? Errc::not_found : Errc::io,
                     "cannot read the keys " + file + ": " + std::strerror(errno),
                     "`sightline keys new DIR` makes keys; security.keys or --keys names the file"};
    if ((info.st_mode & 077) != 0)
        return Error{Errc::invalid_argument,
                     "cannot use the keys " + file + ": others than their owner may read or write them",
                     "chmod 600 " + file + "; if others may have read it, make new keys"};
    const auto text = files::read(file);
    if (!text) return text.error();
    const Json json = Json::parse(*text, nullptr, false);
    const Error bad{Errc::invalid_argument, "cannot use the keys " + file + ": this is no key file of ours",
                    "`sightline keys new DIR` makes keys"};
    if (!json.is_object()) return bad;
    const bool fleet = json.value("sightline", Json()) == "fleet key";
    const char* own = fleet ? "worker" : "client";
    Keys keys{file,
              {key_of(json, "server", "public"), fleet ? key_of(json, "server", "secret") : ""},
              {key_of(json, own, "public"), key_of(json, own, "secret")},
              {}};
    for (const auto& key : {keys.server.public_key, keys.own.public_key, keys.own.secret_key})
        if (!is_key(key)) return bad;
    if (!fleet) return keys;
    if (!is_key(keys.server.secret_key)) return bad;
    const Json clients = json.value("clients", Json::object());
    for (const auto& [name, key] : clients.items()) {
        if (!key.is_string() || !is_key(key.get<std::string>())) return bad;
        keys.clients[name] = key.get<std::string>();
    }
    return keys;
}

Result<void> make_keys(const std::string& dir) {
    std::error_code ec;
    if (!std::filesystem::exists(dir, ec)) {
        std::filesystem::create_directories(dir, ec);
        if (!ec) std::filesystem::permissions(dir, std::filesystem::perms::owner_all, ec);
    }
    if (ec) return Error{Errc::io, "cannot make the folder " + dir + ": " + ec.message(), ""};
    const Keys fleet{"", make_pair(), make_pair(), {}};
    Keys with_client = fleet;
    const Keys client{"", {fleet.server.public_key, ""}, make_pair(), {}};
    with_client.clients["client"] = client.own.public_key;
    if (auto ok = create(dir + "/fleet.key", text_of(with_client, "")); !ok) return ok;
    if (auto ok = create(dir + "/client.key", text_of(client, "client")); !ok) {
        ::unlink((dir + "/fleet.key").c_str());
        return ok;
    }
    return {};
}

Result<void> add_client(const std::string& dir, const std::string& name) {
    if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") != std::string::npos)
        return Error{Errc::invalid_argument, "'" + name + "' is no name of a client",
                     "names are of a-z, 0-9, _ and -"};
    const std::string file = dir + "/fleet.key";
    auto fleet = load_keys(file);
    if (!fleet) return fleet.error();
    if (!fleet->of_fleet())
        return Error{Errc::invalid_argument, "cannot add a client: " + file + " is a client's key",
                     "name the folder that `sightline keys new` made"};
    if (fleet->clients.contains(name))
        return Error{Errc::conflict, "the client '" + name + "' has a key already",
                     "choose another name; `sightline keys list` shows them"};
    const Keys client{"", {fleet->server.public_key, ""}, make_pair(), {}};
    if (auto ok = create(dir + "/" + name + ".key", text_of(client, name)); !ok) return ok;
    fleet->clients[name] = client.own.public_key;
    const std::string next = file + ".new";  // whole or not at all
    ::unlink(next.c_str());                  // of one that was interrupted
    if (auto ok = create(next, text_of(*fleet, "")); !ok) return ok;
    if (std::rename(next.c_str(), file.c_str()) != 0)
        return Error{Errc::io, "cannot write the keys " + file + ": " + std::strerror(errno), ""};
    return files::sync(dir);
}

}  // namespace sl::bus
