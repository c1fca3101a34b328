// What to do when no fleet answers: one wording for all commands.
#pragma once

namespace sl::cli {

inline constexpr const char* no_fleet_hint =
    "start a fleet with `sightline up`, give the command in the folder where one was started, or name its "
    "broker with --broker ENDPOINT (and a key with --keys FILE, if it has keys)";

}  // namespace sl::cli
