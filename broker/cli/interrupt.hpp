// Ctrl-C for commands that wait: a flag that every wait looks at. Used by one thread.
#pragma once

#include <chrono>
#include <zmq.hpp>

#include "schema/result.hpp"

namespace sl::cli {

// From here on SIGINT and SIGTERM set the flag and end waits early instead of ending the program.
void catch_interrupts();
bool interrupted();
void clear_interrupt();  // the next signal is a new one
Error interrupted_error();

// Waits until `socket` can do `events` (ZMQ_POLLIN, ZMQ_POLLOUT). False: time is over or interrupted.
bool wait_for(zmq::socket_t& socket, short events, std::chrono::milliseconds timeout);
// Sleeps; false when interrupted.
bool pause(std::chrono::milliseconds time);

}  // namespace sl::cli
