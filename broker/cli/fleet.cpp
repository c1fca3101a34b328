#include "broker/cli/fleet.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "broker/cli/client.hpp"
#include "broker/cli/interrupt.hpp"
#include "broker/cli/supervisor.hpp"
#include "common/files.hpp"
#include "common/ids.hpp"
#include "common/spelling.hpp"
#include "common/yaml.hpp"

namespace sl::cli {
namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

// Stages in the order of their start; down goes the other way.
const std::vector<std::string> stages{"ingest", "preprocess", "detect", "annotate", "alert"};

std::string state_file(const std::string& dir) {
    return dir + "/fleet.json";
}

json to_json(const Fleet& fleet) {
    json list = json::array();
    for (const Process& p : fleet.processes)
        list.push_back({{"name", p.name},
                        {"pid", p.pid},
                        {"started", p.started},
                        {"boot", p.boot},
                        {"log", p.log},
                        {"stop_signal", p.stop_signal}});
    return {{"endpoint", fleet.endpoint}, {"processes", list}};
}

Result<void> save(const Fleet& fleet) {
    return files::write_durably(state_file(fleet.state_dir), to_json(fleet).dump(2));
}

// One `up` or `down` of a folder at a time.
class Lock {
public:
    explicit Lock(const std::string& dir)
        : fd_(open((dir + "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
        held_ = fd_ >= 0 && flock(fd_, LOCK_EX | LOCK_NB) == 0;
    }
    ~Lock() {
        if (fd_ >= 0) close(fd_);
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    bool held() const { return held_; }

private:
    int fd_;
    bool held_;
};

// A folder by a short name below the temporary folder, for what cannot lie in the state folder.
std::string short_dir(const std::string& state_dir, const char* what) {
    return (fs::temp_directory_path() / ("sightline-" + files::sha256(state_dir).substr(0, 10) + "-" + what))
        .string();
}

// Socket paths have 107 characters at most; workers add an id to this.
std::string run_dir(const std::string& state_dir) {
    return state_dir.size() <= 48 ? state_dir + "/run" : short_dir(state_dir, "run");
}

// A folder that only `owner` (and root) may enter. One below a temporary folder may have been laid there by
// somebody else: then it is refused.
Result<void> make_private(const std::string& dir, uid_t owner, gid_t group) {
    std::error_code ec;
    fs::create_directories(dir, ec);
    struct stat info {};
    if (ec || lstat(dir.c_str(), &info) != 0)
        return Error{Errc::io, "cannot make the folder " + dir + ": " + ec.message(),
                     "is the disk writable?"};
    if (!S_ISDIR(info.st_mode) || (info.st_uid != owner && info.st_uid != geteuid()))
        return Error{Errc::conflict, dir + " is not ours", "remove it, or choose another --state DIR"};
    if ((info.st_uid != owner && chown(dir.c_str(), owner, group) != 0) || chmod(dir.c_str(), 0700) != 0)
        return Error{Errc::io, "cannot keep the folder " + dir + " to its owner", ""};
    return {};
}

class Starter {
public:
    Starter(Fleet& fleet, const FleetOptions& options)
        : fleet_(fleet), options_(options), dir_(fleet.state_dir) {
        logs_ = dir_ + "/logs";
        run_ = run_dir(dir_);
    }

    Result<void> run(const config::Config& base) {
        auto security = bus::Security::open(base.security.keys, base.security.insecure);
        if (!security) return security.error();
        security_ = std::move(*security);
        for (const std::string& dir : {logs_, run_, dir_ + "/redis"})
            if (auto ok = make_private(dir, geteuid(), getegid()); !ok) return ok;
        const std::string program = fs::read_symlink("/proc/self/exe").string();
        if (auto ok = start_redis(); !ok) return ok;
        auto dsn = start_postgres();
        if (!dsn) return dsn.error();
        if (auto ok = write_config(base, *dsn); !ok) return ok;
        std::vector<std::string> command{program,
                                         "supervise",
                                         "--config",
                                         fleet_.config_file(),
                                         "--logs",
                                         logs_,
                                         "broker=" + std::to_string(options_.brokers)};
        for (const auto& [stage, count] : options_.workers)
            command.push_back(stage + "=" + std::to_string(count));
        if (!options_.restart) command.emplace_back("--no-restart");
        if (auto ok = launch({.name = "supervisor", .command = command, .log = "", .user = ""}); !ok)
            return ok;
        return wait_ready();
    }

private:
    Result<void> launch(Launch what) {
        what.log = logs_ + "/" + what.name + ".log";
        auto process = start(what);
        if (!process) return process.error();
        fleet_.processes.push_back(*process);
        return save(fleet_);
    }

    // Calls `done` until it says true; fails when a process ended or the time is over.
    Result<void> until(const std::string& what, milliseconds limit, const std::function<bool()>& done) {
        const auto deadline = Clock::now() + limit;
        while (!done()) {
            for (const Process& p : fleet_.processes)
                if (!alive(p))
                    return Error{
                        Errc::unavailable,
                        p.name + " ended while " + what + "; its log, " + p.log + ":\n" + tail(p.log),
                        "mend what it names, then start again"};
            if (interrupted()) return interrupted_error();
            if (Clock::now() > deadline)
                return Error{Errc::timeout,
                             "gave up " + what + " after " + std::to_string(limit.count() / 1000) + " s",
                             "logs are in " + logs_};
            pause(milliseconds(20));
        }
        return {};
    }

    Result<void> start_redis() {
        const std::string program = find_program("redis-server");
        if (program.empty())
            return Error{Errc::not_found, "cannot start a fleet: redis-server is not installed",
                         "apt install redis-server, or run scripts/setup"};
        const std::string socket = run_ + "/redis.sock";
        redis_url_ = "unix://" + socket;
        unlink(socket.c_str());
        if (auto ok =
                launch({"redis",
                        {program, "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700", "--dir",
                         dir_ + "/redis", "--appendonly", "yes", "--appendfsync", options_.fsync,
                         "--maxmemory-policy", "noeviction", "--save", "", "--daemonize", "no"},
                        "",
                        ""});
            !ok)
            return ok;
        const std::string cli = find_program("redis-cli");
        return until("waiting for Redis", milliseconds(30000), [&] {
            return access(socket.c_str(), F_OK) == 0 &&
                   (cli.empty() || run_quietly({cli, "-s", socket, "--no-auth-warning", "-e", "PING"}));
        });
    }

    // A cluster of its own; PostgreSQL refuses to run as root, so for root it runs as user postgres (or
    // nobody).
    Result<std::string> start_postgres() {
        const std::string initdb = find_program("initdb");
        const std::string postgres = find_program("postgres");
        if (initdb.empty() || postgres.empty())
            return Error{Errc::not_found, "cannot start a fleet: PostgreSQL's server is not installed",
                         "apt install postgresql, or run scripts/setup"};
        const bool root = geteuid() == 0;
        const std::string user = !root ? "" : getpwnam("postgres") ? "postgres" : "nobody";
        // That user may have no way into the state folder (below /root, say): then the cluster lies
        // elsewhere.
        std::string base = dir_ + "/postgres";
        if (root && !run_quietly({"test", "-x", dir_}, user))
            base = "/var/tmp/" + fs::path(short_dir(dir_, "postgres")).filename().string();
        const std::string data = base + "/data";
        const std::string sockets = base.size() <= 80 ? base + "/run" : short_dir(dir_, "pg");
        const passwd* owner = root ? getpwnam(user.c_str()) : nullptr;
        // Only its owner (and root) can connect: hence no password.
        for (const std::string& folder : {base, sockets})
            if (auto ok = make_private(folder, owner ? owner->pw_uid : geteuid(),
                                       owner ? owner->pw_gid : getegid());
                !ok)
                return ok.error();
        std::error_code ec;
        if (base != dir_ + "/postgres") fs::create_directory_symlink(base, dir_ + "/postgres", ec);
        if (!fs::exists(data + "/PG_VERSION", ec)) {
            if (auto ok = run_quietly({initdb, "--pgdata", data, "--username", "sightline", "--auth", "trust",
                                       "--encoding", "UTF8", "--no-locale"},
                                      user);
                !ok)
                return ok.error();
        }
        if (auto ok = launch({"postgres",
                              {postgres, "-D", data, "-k", sockets, "-c", "listen_addresses="},
                              "",
                              user,
                              SIGINT});
            !ok)
            return ok.error();
        const std::string ready = find_program("pg_isready");
        if (auto ok = until("waiting for PostgreSQL", milliseconds(60000),
                            [&] {
                                return ready.empty()
                                           ? fs::exists(sockets + "/.s.PGSQL.5432", ec)
                                           : static_cast<bool>(run_quietly({ready, "-q", "-h", sockets}));
                            });
            !ok)
            return ok.error();
        return "host=" + sockets + " user=sightline dbname=postgres";
    }

    Result<void> write_config(const config::Config& base, const std::string& dsn) {
        config::Config c = base;
        if (!c.security.keys.empty()) c.security.keys = fs::absolute(c.security.keys).string();
        for (int i = 1; i <= options_.brokers; ++i)
            endpoints_.push_back("ipc://" + run_ +
                                 (options_.brokers == 1 ? "/broker" : "/broker" + std::to_string(i)));
        c.broker.endpoint = fleet_.endpoint = join(endpoints_, ",");
        c.broker.run_dir = run_;
        c.redis.url = redis_url_;
        c.postgres.dsn = dsn;
        c.models.default_model = options_.model;
        if (!c.models.manifests.empty()) c.models.manifests = fs::absolute(c.models.manifests).string();
        c.models.dirs = config::model_dirs(base);  // what SIGHTLINE_MODEL_PATH says now holds for the fleet
        for (std::string& dir : c.models.dirs) dir = fs::absolute(dir).string();
        if (c.roots.empty()) c.roots["here"] = fs::current_path().string();
        if (c.output.root.empty()) {
            c.output.root = "results";
            const std::string results = dir_ + "/results";
            std::error_code ec;
            fs::create_directories(results, ec);
            c.roots.emplace("results", results);
            c.output.path = ".";
        }
        return files::write_durably(fleet_.config_file(),
                                    "# Made by `sightline up`.\n" + yaml::from_json(config::to_json(c)));
    }

    // Ready: every worker that was started has joined, and what the broker itself needs is well.
    Result<void> wait_ready() {
        zmq::context_t context(1);
        Client client(context, {endpoints_, milliseconds(1000), milliseconds(500), security_});
        std::size_t wanted = 0;
        for (const auto& [stage, count] : options_.workers) wanted += std::size_t(count);
        std::string last = "the broker does not answer";
        std::optional<Error> ended;
        const auto well = [&] {
            if (auto gone = never_came(fleet_.supervised())) return ended = std::move(gone), true;
            const auto health = client.request({{"type", "health"}});
            const auto pools = client.request({{"type", "pools"}});
            if (!health || !pools) return false;
            std::size_t joined = 0;
            for (const json& pool : pools->value("pools", json::array()))
                joined += pool.value("workers", json::array()).size();
            last = std::to_string(joined) + " of " + std::to_string(wanted) + " workers joined";
            bool ok = joined >= wanted;
            for (const json& part : health->value("parts", json::array())) {
                const std::string name = part.value("name", "");
                const std::string stage = name.substr(0, name.find('/'));
                if (part.value("ok", false) || std::find(stages.begin(), stages.end(), stage) != stages.end())
                    continue;
                last += "; " + name + ": " + part.value("detail", "");
                ok = false;
            }
            return ok;
        };
        auto ok = until("waiting for the fleet to be ready",
                        milliseconds(static_cast<std::int64_t>(options_.ready_s * 1000)), well);
        if (!ok && ok.error().code == Errc::timeout) ok.error().message += "; " + last;
        return ended ? *ended : ok;
    }

    // A process that refuses to serve would be started again and again: say what it says.
    static std::optional<Error> never_came(const json& processes) {
        for (const json& p : processes) {
            const std::string cause = p.value("last_cause", ""), log = p.value("log", "");
            if (cause.empty()) continue;
            return Error{Errc::unavailable,
                         p.value("name", "") + " ended (" + cause +
                             ") while waiting for the fleet to be ready; its log, " + log + ":\n" + tail(log),
                         "mend what it names, then start again"};
        }
        return {};
    }

    Fleet& fleet_;
    const FleetOptions& options_;
    const std::string dir_;
    std::string logs_, run_, redis_url_;
    std::vector<std::string> endpoints_;
    bus::Security security_;
};

}  // namespace

bool Fleet::running() const {
    return std::any_of(processes.begin(), processes.end(), alive);
}

json Fleet::supervised() const {
    zmq::context_t context(1);
    const auto reply = ask_supervisor(context, run_dir(state_dir) + "/control", {{"type", "status"}});
    return reply ? (*reply)["processes"] : json::array();
}

Result<Fleet> find_fleet(const std::string& state_dir) {
    Fleet fleet{fs::weakly_canonical(fs::absolute(state_dir)).string(), "", {}};
    const auto text = files::read(state_file(fleet.state_dir));
    if (!text)
        return Error{Errc::not_found, "no fleet was started in " + fleet.state_dir,
                     "`sightline up` starts one; --state DIR names another folder"};
    const json state = json::parse(*text, nullptr, false);
    if (!state.is_object())
        return Error{Errc::io, "cannot read " + state_file(fleet.state_dir) + ": it is no JSON", ""};
    fleet.endpoint = state.value("endpoint", "");
    for (const json& p : state.value("processes", json::array()))
        fleet.processes.push_back({p.value("name", ""), p.value("pid", 0),
                                   p.value("started", std::uint64_t{0}), p.value("boot", ""),
                                   p.value("log", ""), p.value("stop_signal", SIGTERM)});
    return fleet;
}

Result<Fleet> start_fleet(const config::Config& base, const FleetOptions& options) {
    std::error_code ec;
    fs::create_directories(options.state_dir, ec);
    if (ec) return Error{Errc::io, "cannot make the folder " + options.state_dir + ": " + ec.message(), ""};
    Fleet fleet{fs::canonical(options.state_dir).string(), "", {}};
    const Lock lock(fleet.state_dir);
    if (!lock.held())
        return Error{Errc::conflict, "another `sightline up` works in " + fleet.state_dir,
                     "wait for it, or choose another --state DIR"};
    if (const auto old = find_fleet(fleet.state_dir)) {
        if (std::all_of(old->processes.begin(), old->processes.end(), alive) && old->running())
            return Error{Errc::conflict, "a fleet runs in " + fleet.state_dir + " already",
                         "use it, or end it first: `sightline down --state " + options.state_dir + "`"};
        stop_fleet(*old);  // what a crash left
    }
    if (auto ok = Starter(fleet, options).run(base); !ok) {
        stop_fleet(fleet);
        return ok.error();
    }
    return fleet;
}

std::vector<std::string> stop_fleet(const Fleet& fleet) {
    std::vector<std::string> killed;
    // The supervisor, which ends its workers and then its brokers; when it is gone, the servers.
    const auto end = [&](bool servers, milliseconds grace) {
        std::vector<Process> group;
        std::copy_if(
            fleet.processes.rbegin(), fleet.processes.rend(), std::back_inserter(group),
            [&](const Process& p) { return (p.name == "redis" || p.name == "postgres") == servers; });
        const auto names = stop(group, grace);
        killed.insert(killed.end(), names.begin(), names.end());
    };
    end(false, milliseconds(30000));
    end(true, milliseconds(20000));
    unlink(state_file(fleet.state_dir).c_str());
    unlink(fleet.config_file().c_str());
    return killed;
}

}  // namespace sl::cli
