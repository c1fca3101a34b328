// LiveDispatch: which lease of live work goes to which worker now (PROTOCOL.md section 9.1). Pure policy
// over the camera table and the members; the broker carries out what it proposes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/camera_table.hpp"
#include "broker/members.hpp"

namespace sl::broker {

struct LiveGrant {
    std::string unit;  // "watch" "camera"
    std::string camera;
    std::string worker;
    bool moves = false;  // a lease that works, for balance
};

// The grants of one turn of the broker's loop: made anew each turn, at the cost of all cameras.
class LiveDispatch {
public:
    // Borrowed for its life. `balance`: a lease that works may move to a worker that has less (L9).
    LiveDispatch(CameraTable& table, const Members& members, Clock::time_point now, bool balance);

    // The next grant, or none. It must be carried out before the next call.
    std::optional<LiveGrant> next();

private:
    struct Kind {
        const char* unit;                          // "watch"
        const char* stage;                         // "live/annotate"
        std::map<std::string, std::int64_t> load;  // leases by worker that may be given one
    };
    std::optional<std::string> best(const Kind& kind, const LiveCamera& camera) const;
    std::optional<LiveGrant> serve(Kind& kind, LiveCamera& camera);
    std::optional<LiveGrant> even_out(Kind& kind);
    LiveGrant grant(Kind& kind, const LiveCamera& camera, const std::string& worker, bool moves = false);

    CameraTable& table_;
    const Members& members_;
    const Clock::time_point now_;
    bool balance_;
    Kind watch_{"watch", "live/annotate", {}}, connection_{"camera", "live/ingest", {}};
    std::map<std::string, LiveCamera>::iterator at_;  // cameras before it have what they can have
};

// A worker of live/ingest that carries all labels of the camera; of another stage: everybody fits.
bool fits(const schema::Hello& hello, const schema::Camera& camera);

// What a camera waits for, as clients read it: leases that nobody has, pools that nobody serves.
std::vector<std::string> waiting_for(const LiveCamera& camera, const Members& members);

}  // namespace sl::broker
