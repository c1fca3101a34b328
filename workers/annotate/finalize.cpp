// The final and sweep units: parts → outputs/{job}, and the end of work/{job}.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/files.hpp"
#include "common/ids.hpp"
#include "common/log.hpp"
#include "workers/annotate/annotate.hpp"
#include "workers/annotate/manifest.hpp"
#include "workers/annotate/render.hpp"

namespace sl::annotate {
namespace fs = std::filesystem;
namespace {

// A part must be the bytes that its home committed.
Result<void> check_part(const std::string& path, const schema::Part& part) {
    auto digest = files::sha256_file(path);
    if (!digest) return digest.error();
    if (*digest == part.sha256) return {};
    return Error{
        Errc::io,
        "the part " + path + " is not what was committed (sha256 " + *digest + ", not " + part.sha256 + ")",
        "check the disk below the output's root"};
}

Result<StreamReport> join_stream(const Roots& roots, const schema::Task& task,
                                 const schema::StreamParts& stream, const std::string& work,
                                 const std::string& out, const std::function<bool()>& stop) {
    StreamReport report;
    report.name = stream.info.name;
    report.warnings = stream.info.warnings;
    report.counters = stream.counters;
    if (!stream.error.empty()) report.warnings.push_back("failed: " + stream.error);
    if (!stream.complete) report.warnings.push_back("incomplete");
    if (stream.info.source.empty()) return report;  // never scanned: there is nothing to join
    std::error_code ec;
    const std::string dir = out + "/" + stream.info.name;
    fs::create_directories(dir, ec);
    if (ec)
        return Error{files::code_of(ec.value()), "cannot create " + dir + ": " + ec.message(),
                     files::hint_of(ec.value())};
    auto chosen = chosen_exporters(task.spec);
    if (!chosen) return chosen.error();
    std::string source;
    if (!stream.info.audio.empty())
        if (auto path = roots.resolve(stream.info.input)) source = *path;
    for (const auto* exporter : *chosen) {
        if (stop()) return Error{Errc::canceled, "the final unit was taken away", ""};
        std::vector<std::string> parts;
        for (const auto& of_row : stream.parts)
            for (const auto& part : of_row)
                if (part.kind == exporter->part_kind) {
                    if (stop()) return Error{Errc::canceled, "the final unit was taken away", ""};
                    parts.push_back(work + "/" + part.path);
                    if (auto ok = check_part(parts.back(), part); !ok) return ok.error();
                }
        auto joined = exporter->join(
            {task.spec, stream.info, stream.rows, parts, stream.alerts, source, stream.complete}, dir);
        if (!joined) return joined.error();
        if (!joined->path.empty())
            if (auto ok = files::sync(dir + "/" + joined->path); !ok) return ok.error();
        report.outputs.push_back(std::move(*joined));
    }
    if (auto ok = files::sync(dir); !ok) return ok.error();
    return report;
}

}  // namespace

Result<std::string> finalize(const Roots& roots, const schema::Task& task,
                             const std::function<bool()>& stop) {
    auto work = roots.place({task.spec.output.root, work_path(task.spec)});
    auto target = roots.place({task.spec.output.root, outputs_path(task.spec)});
    if (!work) return work.error();
    if (!target) return target.error();
    if (stop()) return Error{Errc::canceled, "the final unit was taken away", ""};
    if (!fs::exists(*work)) {
        // A job whose scan failed made no folder. (A swept one would not be finalized: its token is stale.)
        std::error_code ec;
        fs::create_directories(*work, ec);
        if (ec)
            return Error{files::code_of(ec.value()),
                         "cannot create the work folder " + *work + ": " + ec.message(),
                         files::hint_of(ec.value())};
    }
    const std::string out =
        *work + "/final." + std::to_string(task.token.attempt) + "-" + std::to_string(task.token.nonce);
    struct Unfinished {  // on a full disk nothing may be left behind at each try
        std::string path;
        ~Unfinished() {
            std::error_code ignored;
            if (!path.empty()) fs::remove_all(path, ignored);
        }
    } unfinished{out};
    std::error_code ec;
    fs::create_directory(out, ec);
    if (ec)
        return Error{files::code_of(ec.value()), "cannot create " + out + ": " + ec.message(),
                     files::hint_of(ec.value())};

    JobReport report;
    report.job = task.spec.job;
    report.status = task.state;
    report.reason = task.error;
    report.program = commit();
    report.engines = task.engines;
    for (const auto& stream : task.streams) {
        auto joined = join_stream(roots, task, stream, *work, out, stop);
        if (!joined) return joined.error();
        report.streams.push_back(std::move(*joined));
    }
    const std::string manifest = manifest_json(report);
    if (auto ok = files::write_durably(out + "/manifest.json", manifest); !ok) return ok.error();
    const std::string digest = files::sha256(manifest);

    // An earlier lease may have come this far: the same result is success, anything else is replaced whole.
    if (const auto old = files::read(*target + "/manifest.json"); old && *old == manifest) return digest;
    fs::create_directories(fs::path(*target).parent_path(), ec);
    if (::renameat2(AT_FDCWD, out.c_str(), AT_FDCWD, target->c_str(), RENAME_NOREPLACE) == 0) {
        unfinished.path.clear();
    } else {
        if (errno != EEXIST ||
            ::renameat2(AT_FDCWD, out.c_str(), AT_FDCWD, target->c_str(), RENAME_EXCHANGE) != 0)
            return Error{files::code_of(errno),
                         "cannot move the results to " + *target + ": " + std::strerror(errno),
                         files::hint_of(errno)};
    }
    if (auto ok = files::sync(fs::path(*target).parent_path().string()); !ok) return ok.error();
    return digest;
}

namespace {

// What this sweep moved away, and what an earlier one did that did not live to remove it.
Result<void> remove_trash(const fs::path& folder, const std::string& job) {
    const std::string prefix = ".trash-" + job + "-";
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(folder, ec)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix) || name.find_first_not_of("0123456789", prefix.size()) != name.npos)
            continue;
        std::error_code failed;
        fs::remove_all(entry.path(), failed);
        if (failed)
            return Error{files::code_of(failed.value()),
                         "cannot remove " + entry.path().string() + ": " + failed.message(),
                         files::hint_of(failed.value())};
    }
    return {};  // no such folder: nothing to remove
}

}  // namespace

Result<void> sweep(const Roots& roots, const schema::Task& task) {
    const auto remove = [&](const std::string& rel) -> Result<void> {
        auto path = roots.place({task.spec.output.root, rel});
        if (!path) return path.error();
        // Moved away first, in one step: nobody sees half of it, and a late writer finds no folder.
        const std::string trash = fs::path(*path).parent_path().string() + "/.trash-" + task.spec.job + "-" +
                                  std::to_string(task.token.nonce);
        if (::rename(path->c_str(), trash.c_str()) != 0 && errno != ENOENT)
            return Error{files::code_of(errno), "cannot move " + *path + " away: " + std::strerror(errno),
                         files::hint_of(errno)};
        return remove_trash(fs::path(*path).parent_path(), task.spec.job);
    };
    if (auto ok = remove(work_path(task.spec)); !ok) return ok;
    if (!task.keep_outputs)
        if (auto ok = remove(outputs_path(task.spec)); !ok) return ok;
    // The folder of all work goes when it is empty, so that `run` leaves results alone behind.
    if (auto all = roots.place(
            {task.spec.output.root,
             (task.spec.output.path.empty() ? "" : task.spec.output.path + "/") + std::string(".work")}))
        ::rmdir(all->c_str());
    return {};
}

}  // namespace sl::annotate
