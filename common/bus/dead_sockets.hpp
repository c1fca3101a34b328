// What a killed process leaves behind: the file of its ipc socket.
#pragma once

#include <string>

namespace sl::bus {

// Removes the socket files of `folder` that nobody listens on any more; other files and live sockets stay. A
// socket younger than half a second is left alone: its owner may be between bind and listen. Errors are
// passed over: what cannot be removed now is tried by the next who starts.
void remove_dead_sockets(const std::string& folder);

}  // namespace sl::bus
