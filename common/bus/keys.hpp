// Key files: who may join a fleet (`sightline keys`). Two kinds, JSON, mode 0600:
//
//   fleet.key   for the fleet's hosts: the key pair of everything that listens (brokers, workers' data
//               sockets), the key pair that workers connect with, and the public keys of the clients
//   NAME.key    for one client: its own key pair, and the public key of everything that listens
//
// Keys are CURVE25519 (libzmq's CURVE), written as Z85, 40 characters.
#pragma once

#include <map>
#include <string>

#include "schema/result.hpp"

namespace sl::bus {

struct KeyPair {
    std::string public_key, secret_key;
};

struct Keys {
    std::string file;
    KeyPair server;                              // secret_key is empty in a client's file
    KeyPair own;                                 // of this side when it connects: the workers', or a client's
    std::map<std::string, std::string> clients;  // name → public key; in fleet.key only

    bool of_fleet() const { return !server.secret_key.empty(); }
};

// not_found: there is no such file; io: it cannot be read; invalid_argument: others may read it, or it is no
// key file.
Result<Keys> load_keys(const std::string& file);

// Writes dir/fleet.key and dir/client.key (of a client named "client"); makes the folder. conflict: one of
// them is there; nothing is overwritten.
Result<void> make_keys(const std::string& dir);

// Writes dir/NAME.key and adds its public key to dir/fleet.key. conflict: the name is taken.
Result<void> add_client(const std::string& dir, const std::string& name);

}  // namespace sl::bus
