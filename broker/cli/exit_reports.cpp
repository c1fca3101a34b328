#include "broker/cli/exit_reports.hpp"

#include <algorithm>

#include "common/bus/endpoint.hpp"
#include "common/bus/socket.hpp"

namespace sl::cli {

Result<ExitReports> ExitReports::open(zmq::context_t& context, const std::vector<std::string>& endpoints,
                                      const bus::Security& security) {
    ExitReports reports;
    for (const std::string& endpoint : endpoints) {
        const auto broker = bus::broker_endpoints(endpoint);
        if (!broker) return broker.error();
        reports.sockets_.push_back(bus::make_socket(context, bus::Kind::dealer, &security));
        reports.sockets_.back().set(zmq::sockopt::routing_id, reports.id_);
        if (auto ok = bus::connect(reports.sockets_.back(), broker->workers); !ok) return ok.error();
    }
    return reports;
}

void ExitReports::tell(schema::Exited report) {
    report.req = ++last_;
    if (open_.size() == most) open_.pop_front();
    open_.push_back({std::move(report), {}});
    tick(Clock::now());
}

Clock::time_point ExitReports::tick(Clock::time_point now) {
    auto next = now + std::chrono::seconds(60);
    for (Open& o : open_) {
        if (o.due <= now) {
            for (zmq::socket_t& socket : sockets_) {
                std::vector<zmq::message_t> frames;
                bus::Envelope::make(o.report).append_to(frames);
                bus::send(socket, frames);  // a broker that is away hears it the next time
            }
            o.due = now + again;
        }
        next = std::min(next, o.due);
    }
    return next;
}

void ExitReports::receive() {
    for (zmq::socket_t& socket : sockets_)
        while (auto frames = bus::receive(socket)) {
            const auto envelope = bus::Envelope::parse(std::move(*frames));
            if (!envelope || envelope->type() != "answer") continue;
            const auto answer = envelope->as<schema::Answer>();
            if (answer) std::erase_if(open_, [&](const Open& o) { return o.report.req == answer->req; });
        }
}

}  // namespace sl::cli
