// What the program's exit status says. Scripts rely on it: numbers are never reused.
#pragma once

#include "schema/result.hpp"

namespace sl::cli {

enum Exit : int {
    exit_ok = 0,
    exit_job_failed = 1,   // the job (or a check of doctor) failed; the reason is printed
    exit_usage = 2,        // wrong command line, parameter or configuration
    exit_not_found = 3,    // no such job, file, model, preset …
    exit_unavailable = 4,  // broker, Redis, PostgreSQL or a pool is away, or the queue is full
    exit_conflict = 5,     // it exists already, or is in a state that forbids this
    exit_canceled = 6,     // the job was canceled
    exit_timeout = 7,      // --timeout was over first
    exit_bad_media = 8,    // the input cannot be decoded
    exit_internal = 70,    // a bug, or this machine's disk
    exit_interrupted = 130,
};

constexpr int exit_code(Errc code) {
    switch (code) {
        case Errc::invalid_argument:
            return exit_usage;
        case Errc::not_found:
            return exit_not_found;
        case Errc::unavailable:
            return exit_unavailable;
        case Errc::unsupported_version:
            return exit_unavailable;
        case Errc::conflict:
            return exit_conflict;
        case Errc::canceled:
            return exit_canceled;
        case Errc::timeout:
            return exit_timeout;
        case Errc::bad_media:
            return exit_bad_media;
        case Errc::bad_message:
        case Errc::stale:
        case Errc::io:
        case Errc::internal:
            break;
    }
    return exit_internal;
}

}  // namespace sl::cli
