// What could not be done: back-off, dead chunks, scans that fail.
#include "broker/job_table.hpp"

namespace sl::broker {

using schema::Token;

namespace {

constexpr std::int32_t max_failures = 5;
constexpr std::chrono::milliseconds first_back_off{250};

bool retryable(const std::string& code) {
    switch (code_from_name(code)) {
        case Errc::io:
        case Errc::unavailable:
        case Errc::timeout:
        case Errc::internal:
            return true;
        default:
            return false;
    }
}

}  // namespace

Result<void> JobTable::fail(const Token& token, const std::string& code, const std::string& message,
                            Journal& j) {
    if (!current(token)) return stale(token);
    const auto back_off = [](std::int32_t failures) {
        return Clock::now() + first_back_off * (1 << (failures - 1));
    };
    if (token.unit == "chunk") {
        Job& job = *find(token.job);
        Chunk& c = *chunk_of(token);
        c.holder.clear();
        ++c.failures;
        if (retryable(code) && c.failures < max_failures) {
            c.state = ChunkState::pending;
            c.not_before = back_off(c.failures);
        } else {
            kill_chunk(job, token.stream, token.seq, code, message, j);
            return {};
        }
        write_chunk(job, std::size_t(token.stream), token.seq, j);
        check_end(job, j);
        return {};
    }
    Unit& u = *unit_of(token);
    u.holder.clear();
    u.state = Unit::State::pending;
    ++u.failures;
    u.not_before = back_off(std::min(u.failures, 7));
    if (token.unit == "deliver") return {};  // alerts are never given up
    Job& job = *find(token.job);
    if (!retryable(code) || u.failures >= max_failures) {
        if (token.unit == "scan") {
            return fail_scan(job, code, message, j);
        } else if (token.unit == "final") {
            u.state = Unit::State::done;
            job.error_code = code;
            job.error = message;
            job.sweep.state = Unit::State::pending;
            finish(job, job.ending == JobState::canceled ? JobState::canceled : JobState::failed, j);
        }  // a sweep that fails is tried again, rarely: it only costs disk space
    }
    write_job(job, j);
    return {};
}

Result<void> JobTable::fail_scan(Job& job, const std::string& code, const std::string& message, Journal& j) {
    job.scan.state = Unit::State::done;
    job.found = true;
    job.error_code = code;
    job.error = message;
    for (std::size_t i = 0; i < job.streams.size(); ++i) {
        if (!job.streams[i].scanned) end_stream(job.streams[i], code, message);
        write_stream(job, i, j);
    }
    write_job(job, j);
    check_end(job, j);
    return {};
}

// The stream ends before this chunk: it and the later ones are released, earlier ones finish.
void JobTable::kill_chunk(Job& job, std::int32_t stream, std::int64_t seq, const std::string& code,
                          const std::string& message, Journal& j) {
    const auto i = std::size_t(stream);
    Stream& s = job.streams[i];
    s.dead_at = std::min(s.dead_at, seq);
    end_stream(s, code, "chunk " + std::to_string(seq) + ": " + message);
    for (std::int64_t k = seq; k < s.reached; ++k) {
        Chunk& c = s.chunks[std::size_t(k)];
        if (k == seq)
            c.state = ChunkState::dead;
        else if (c.state == ChunkState::leased)
            c.state = ChunkState::pending;
        else
            continue;
        c.holder.clear();
        write_chunk(job, i, k, j);
    }
    write_stream(job, i, j);
    check_end(job, j);
}

void JobTable::end_stream(Stream& s, const std::string& code, const std::string& message) {
    if (!s.error.empty()) return;
    s.error_code = code;
    s.error = message;
    if (s.dead_at == INT64_MAX) s.dead_at = s.prefix;
}

}  // namespace sl::broker
