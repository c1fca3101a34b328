#include "broker/cli/supervisor.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "broker/cli/interrupt.hpp"
#include "common/bus/socket.hpp"
#include "common/log.hpp"
#include "common/spelling.hpp"

namespace sl::cli {
namespace fs = std::filesystem;

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

const std::vector<std::string> stages{"ingest", "preprocess", "detect", "annotate", "alert"};
constexpr int most_of_a_part = 64;

milliseconds seconds(double s) {
    return milliseconds(static_cast<std::int64_t>(s * 1000));
}

}  // namespace

Result<PartCounts> part_counts(const std::vector<std::string>& words) {
    PartCounts counts;
    for (const std::string& word : words) {
        const auto equals = std::min(word.find('='), word.size());
        const std::string part = word.substr(0, equals),
                          number = word.substr(std::min(equals + 1, word.size()));
        const bool known = part == "broker" || part.starts_with("detect/") ||
                           std::find(stages.begin(), stages.end(), part) != stages.end();
        if (!known)
            return Error{
                Errc::invalid_argument, "there is no part '" + part + "' of a fleet",
                "the parts are broker, ingest, preprocess, detect (or detect/MODEL), annotate and alert"};
        int count = -1;
        if (!number.empty() && number.size() < 4 &&
            number.find_first_not_of("0123456789") == std::string::npos)
            count = std::stoi(number);
        if (count < 0 || count > most_of_a_part)
            return Error{
                Errc::invalid_argument, "cannot run '" + word + "'",
                "write " + part + "=NUMBER, with a number from 0 to " + std::to_string(most_of_a_part)};
        counts[part] = count;
    }
    return counts;
}

Result<void> Supervisor::run(zmq::context_t& context, const PartCounts& counts, int signal_fd) {
    if (auto ok = open(context); !ok) return ok;
    if (auto ok = scale(counts); !ok) return ok;
    while (true) {
        const auto now = Clock::now();
        start_due(now);
        if (stops_ > 0) stop_next();
        bound_logs(now);
        std::erase_if(slots_, [](const Slot& s) { return s.state == State::gone; });
        if (stops_ > 0 && slots_.empty()) break;
        std::vector<zmq::pollitem_t> polled{{nullptr, signal_fd, ZMQ_POLLIN, 0}};
        if (control_) polled.push_back({control_->handle(), 0, ZMQ_POLLIN, 0});
        for (zmq::socket_t& socket : reports_->sockets())
            polled.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
        const auto wait = std::chrono::ceil<milliseconds>(wake(now) - Clock::now());
        zmq::poll(polled.data(), polled.size(), std::max(wait, milliseconds(0)));
        take_signals(signal_fd);
        reports_->receive();
        serve_control();
    }
    return {};
}

Result<void> Supervisor::open(zmq::context_t& context) {
    auto reports = ExitReports::open(context, options_.endpoints, options_.security);
    if (!reports) return reports.error();
    reports_.emplace(std::move(*reports));
    if (options_.control.empty()) return {};
    // The lock lives as long as this process: two supervisors at one socket would take it from each other.
    const std::string lock = options_.control + ".lock";
    const int fd = ::open(lock.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
        return Error{
            fd < 0 ? Errc::io : Errc::conflict, "cannot take " + lock + " for this supervisor",
            fd < 0 ? "is its folder there, and ours?" : "another supervisor runs with this broker.run_dir"};
    control_.emplace(context, zmq::socket_type::rep);
    control_->set(zmq::sockopt::linger, 0);
    control_->set(zmq::sockopt::maxmsgsize, std::int64_t(64) << 10);
    return bus::bind(*control_, "ipc://" + options_.control);
}

Result<void> Supervisor::scale(const PartCounts& counts) {
    if (const auto brokers = counts.find("broker");
        brokers != counts.end() && std::size_t(brokers->second) > options_.endpoints.size())
        return Error{Errc::invalid_argument,
                     "cannot run " + std::to_string(brokers->second) + " brokers: broker.endpoint names " +
                         std::to_string(options_.endpoints.size()),
                     "each needs an endpoint of its own: write them with ',' between"};
    if (const auto brokers = counts.find("broker"); brokers != counts.end()) {
        const auto of_broker = [](State state) {
            return [state](const Slot& s) { return s.part == "broker" && s.state == state; };
        };
        const auto serving = std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) {
            return s.part == "broker" && (s.state == State::running || s.state == State::waiting);
        });
        // Its endpoint is taken until it is gone.
        if (brokers->second > serving && std::any_of(slots_.begin(), slots_.end(), of_broker(State::leaving)))
            return Error{Errc::conflict, "cannot start a broker while another still leaves",
                         "try again in a moment"};
    }
    for (const auto& [part, count] : counts) {
        for (Slot& s : slots_)
            if (s.part == part && s.state == State::left) s.state = State::gone;
        std::erase_if(slots_, [](const Slot& s) { return s.state == State::gone; });
        const auto serves = [&](const Slot& s) {
            return s.part == part && (s.state == State::running || s.state == State::waiting);
        };
        int now = int(std::count_if(slots_.begin(), slots_.end(), serves));
        for (; now < count; ++now) add(part);
        for (; now > count; --now) leave(*std::find_if(slots_.rbegin(), slots_.rend(), serves));
    }
    start_due(Clock::now());
    return {};
}

void Supervisor::add(const std::string& part) {
    Slot slot;
    slot.part = part;
    while (std::any_of(slots_.begin(), slots_.end(),
                       [&](const Slot& s) { return s.part == part && s.number == slot.number; }))
        ++slot.number;
    slot.name = part + "-" + std::to_string(slot.number + 1);
    if (part == "broker" && options_.endpoints.size() == 1) slot.name = part;
    std::replace(slot.name.begin(), slot.name.end(), '/', '-');
    slots_.push_back(std::move(slot));
}

void Supervisor::leave(Slot& slot) {
    if (slot.state == State::waiting || slot.state == State::left) slot.state = State::gone;
    if (slot.state != State::running) return;
    kill(slot.process.pid, SIGTERM);
    slot.state = State::leaving;
    slot.kill_at = Clock::now() + seconds(options_.drain_s) + std::chrono::seconds(5);
}

Launch Supervisor::launch_of(const Slot& slot) const {
    Launch launch{.name = slot.name, .command = {options_.program}};
    auto& command = launch.command;
    if (slot.part == "broker") {
        command.insert(command.end(), {"broker", "--broker", options_.endpoints[std::size_t(slot.number)]});
    } else {
        const auto slash = slot.part.find('/');
        command.insert(command.end(),
                       {"worker", slot.part.substr(0, slash), "--broker", join(options_.endpoints, ","),
                        "--drain", fmt::format("{}", options_.drain_s), "--supervisor", reports_->id(),
                        "--crumb-fd", std::to_string(slot.crumb.fd())});
        if (slash != std::string::npos)
            command.insert(command.end(), {"--model", slot.part.substr(slash + 1)});
        if (slot.part == "ingest")
            for (const auto& label : options_.labels) command.insert(command.end(), {"--label", label});
        if (!options_.bind.empty()) command.insert(command.end(), {"--bind", options_.bind});
        launch.keep_fd = slot.crumb.fd();
    }
    command.insert(command.end(), options_.settings.begin(), options_.settings.end());
    if (!options_.log_dir.empty()) launch.log = options_.log_dir + "/" + slot.name + ".log";
    launch.dies_with_parent = true;
    return launch;
}

void Supervisor::start_due(Clock::time_point now) {
    for (Slot& slot : slots_) {
        if (slot.state != State::waiting || slot.start_at > now || stops_ > 0) continue;
        Result<Process> process = Error{};
        if (slot.part != "broker" && slot.crumb.fd() < 0) {
            auto crumb = worker::Crumb::make();
            if (crumb)
                slot.crumb = std::move(*crumb);
            else
                process = crumb.error();
        }
        slot.crumb.wipe();
        if (slot.part == "broker" || slot.crumb.fd() >= 0) process = start(launch_of(slot));
        if (process) {
            slot.process = *process;
            slot.state = State::running;
            slot.started = now;
        } else {
            slot.last_cause = process.error().message;
            log::error("cannot_start", "name={} why={}", slot.name, process.error().text());
            rest(slot);
        }
    }
}

// Sets the time of its next start: 0, 0.1, 0.2, 0.4 … after the first, second … end in a row.
void Supervisor::rest(Slot& slot) {
    slot.state = State::waiting;
    const int n = slot.ends_in_a_row++;
    const auto pause = n == 0 ? milliseconds(0) : milliseconds(100) * (1 << std::min(n - 1, 10));
    slot.start_at = Clock::now() + std::min<milliseconds>(pause, options_.most_pause);
}

void Supervisor::reap() {
    const bool out_of_memory = memory_kills_.rose();
    for (Slot& slot : slots_) {
        int status = 0;
        if (slot.state != State::running && slot.state != State::leaving) continue;
        if (waitpid(slot.process.pid, &status, WNOHANG) != slot.process.pid) continue;
        ended(slot, status, out_of_memory);
    }
}

void Supervisor::ended(Slot& slot, int status, bool out_of_memory) {
    auto crumb = slot.crumb.read();
    const ExitCause cause = exit_cause(status, out_of_memory, crumb ? crumb->cause : "");
    const bool asked = slot.state == State::leaving;
    if (crumb && !cause.left) {  // who left has told the broker so by himself
        crumb->cause = cause.text;
        crumb->crashed = cause.crashed;
        reports_->tell(std::move(*crumb));
    }
    const auto now = Clock::now();
    if (now - slot.started >= options_.healthy) slot.ends_in_a_row = 0;
    slot.last_cause = cause.text;
    if (asked) {
        slot.state = State::gone;
    } else if ((cause.left && slot.part != "broker") || !options_.restart) {
        slot.state = State::left;
    } else {
        rest(slot);
        ++slot.restarts;
    }
    const auto pause = std::chrono::duration_cast<milliseconds>(slot.start_at - now).count();
    log::write(asked || cause.left ? spdlog::level::info : spdlog::level::warn, "ended",
               fmt::format("name={} pid={} cause=\"{}\" job={} {}", slot.name, slot.process.pid, cause.text,
                           crumb ? crumb->token.job : "",
                           slot.state == State::waiting
                               ? fmt::format("again_ms={}", std::max<std::int64_t>(pause, 0))
                               : "stays away"));
    slot.process.pid = 0;
}

// Workers first; brokers when no worker is left, so that everything held can be handed back.
void Supervisor::stop_next() {
    const bool workers_left = std::any_of(slots_.begin(), slots_.end(), [](const Slot& s) {
        return s.part != "broker" && (s.state == State::running || s.state == State::leaving);
    });
    for (Slot& slot : slots_)
        if (slot.part != "broker" || !workers_left) leave(slot);
}

// Copied, then emptied: a log is its writer's standard error, which cannot be told to open another file (and
// goes on at the new end, since it appends). A line written between the two is lost.
void Supervisor::bound_logs(Clock::time_point now) {
    if (options_.log_dir.empty() || now < logs_at_) return;
    logs_at_ = now + std::chrono::seconds(5);
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(options_.log_dir, ec)) {
        if (entry.path().extension() != ".log") continue;
        if (const auto size = entry.file_size(ec); ec || std::int64_t(size) < options_.log_bytes) continue;
        const std::string path = entry.path().string();
        fs::copy_file(path, path + ".1.part", fs::copy_options::overwrite_existing, ec);
        if (!ec) fs::rename(path + ".1.part", path + ".1", ec);
        // A full disk keeps no old log, and does not grow the new one either.
        if (ec) log::warn("log_not_kept", "path={}.1 why={}", path, ec.message());
        fs::resize_file(path, 0, ec);
    }
}

Clock::time_point Supervisor::wake(Clock::time_point now) {
    auto next = reports_->tick(now);
    if (!options_.log_dir.empty()) next = std::min(next, logs_at_);
    for (Slot& slot : slots_) {
        if (slot.state == State::waiting) next = std::min(next, slot.start_at);
        if (slot.state != State::leaving) continue;
        if (slot.kill_at <= now) {
            log::warn("killed", "name={} pid={} why=did not leave in time", slot.name, slot.process.pid);
            kill(slot.process.pid, SIGKILL);
            slot.kill_at = now + std::chrono::seconds(60);
        }
        next = std::min(next, slot.kill_at);
    }
    return next;
}

void Supervisor::take_signals(int fd) {
    bool child = false;
    signalfd_siginfo info{};
    while (::read(fd, &info, sizeof info) == ssize_t(sizeof info)) {
        if (info.ssi_signo == SIGCHLD) {
            child = true;
        } else if (++stops_ == 1) {
            log::info("stopping", "signal={} processes={}", info.ssi_signo, slots_.size());
        } else {
            for (const Slot& slot : slots_)
                if (slot.process.pid > 0) kill(slot.process.pid, SIGKILL);
        }
    }
    if (child) reap();
}

json Supervisor::processes() const {
    json list = json::array();
    for (const Slot& s : slots_) {
        const char* state = s.state == State::running   ? "running"
                            : s.state == State::waiting ? "restarting"
                            : s.state == State::leaving ? "leaving"
                                                        : "left";
        list.push_back({{"name", s.name},
                        {"part", s.part},
                        {"pid", s.process.pid},
                        {"state", state},
                        {"restarts", s.restarts},
                        {"last_cause", s.last_cause},
                        {"log", options_.log_dir.empty() ? "" : options_.log_dir + "/" + s.name + ".log"}});
    }
    return list;
}

json Supervisor::answer(const json& request) {
    const json named = request.is_object() ? request.value("type", json()) : json();
    const std::string type = named.is_string() ? named.get<std::string>() : "";
    if (type == "status") return {{"ok", true}, {"processes", processes()}};
    std::vector<std::string> words;
    if (type == "scale" && request.contains("parts") && request["parts"].is_object())
        for (const auto& [part, count] : request["parts"].items()) words.push_back(part + "=" + count.dump());
    Result<PartCounts> counts = part_counts(words);
    if (words.empty())
        counts = Error{Errc::bad_message, "a supervisor answers to status, and to scale with parts", ""};
    else if (stops_ > 0)
        counts = Error{Errc::conflict, "cannot scale: the supervisor is ending", ""};
    if (counts)
        if (auto ok = scale(*counts); !ok) counts = ok.error();
    if (!counts)
        return {{"ok", false},
                {"code", code_name(counts.error().code)},
                {"message", counts.error().message},
                {"hint", counts.error().hint}};
    log::info("scaled", "to={}", request["parts"].dump());
    return {{"ok", true}, {"processes", processes()}};
}

void Supervisor::serve_control() {
    while (control_) {
        const auto frames = bus::receive(*control_);
        if (!frames) return;
        const auto reply = answer(json::parse(frames->back().to_string_view(), nullptr, false));
        control_->send(zmq::buffer(reply.dump(-1, ' ', false, json::error_handler_t::replace)),
                       zmq::send_flags::dontwait);
    }
}

Result<json> ask_supervisor(zmq::context_t& context, const std::string& control, const json& request) {
    zmq::socket_t socket(context, zmq::socket_type::req);
    socket.set(zmq::sockopt::linger, 0);
    if (auto ok = bus::connect(socket, "ipc://" + control); !ok) return ok.error();
    socket.send(zmq::buffer(request.dump()), zmq::send_flags::dontwait);
    if (!wait_for(socket, ZMQ_POLLIN, milliseconds(2000))) {
        if (interrupted()) return interrupted_error();
        return Error{
            Errc::unavailable, "cannot ask the supervisor at " + control + ": no answer",
            "a fleet that `sightline up` or `sightline supervise` started on this host has one: give the "
            "command in its folder, or name it with --state DIR or --config FILE"};
    }
    const auto frames = bus::receive(socket);
    json reply = frames ? json::parse(frames->back().to_string_view(), nullptr, false) : json();
    if (!reply.is_object()) return Error{Errc::bad_message, "the supervisor's answer is no JSON object", ""};
    if (reply.value("ok", false)) return reply;
    return Error{code_from_name(reply.value("code", "INTERNAL")), reply.value("message", "refused"),
                 reply.value("hint", "")};
}

}  // namespace sl::cli
