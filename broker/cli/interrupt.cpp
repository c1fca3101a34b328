#include "broker/cli/interrupt.hpp"

#include <algorithm>
#include <csignal>
#include <ctime>

namespace sl::cli {
namespace {
volatile std::sig_atomic_t flag = 0;
}  // namespace

void catch_interrupts() {
    struct sigaction action = {};
    action.sa_handler = [](int) { flag = 1; };  // without SA_RESTART: waits return
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
    return flag != 0;
}

void clear_interrupt() {
    flag = 0;
}

Error interrupted_error() {
    return Error{Errc::canceled, "interrupted", ""};
}

bool wait_for(zmq::socket_t& socket, short events, std::chrono::milliseconds timeout) {
    zmq::pollitem_t item{socket.handle(), 0, events, 0};
    try {
        return !interrupted() && zmq::poll(&item, 1, std::max(timeout, std::chrono::milliseconds(0))) > 0;
    } catch (const zmq::error_t& e) {
        if (e.num() == EINTR) return false;
        throw;
    }
}

bool pause(std::chrono::milliseconds time) {
    const timespec span{time.count() / 1000, (time.count() % 1000) * 1000000};
    if (!interrupted()) nanosleep(&span, nullptr);
    return !interrupted();
}

}  // namespace sl::cli
