#include "workers/ingest/ingest.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <set>

#include "common/files.hpp"
#include "common/log.hpp"

namespace sl::ingest {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t max_open = 16;

const SourcePlugin* claimant(const std::string& path) {
    const SourcePlugin* best = nullptr;
    int most = 0;
    for (const auto* row : source_table())
        if (const int claim = row->claims(path); claim > most) best = row, most = claim;
    return best;
}

const SourcePlugin* by_name(const std::string& name) {
    for (const auto* row : source_table())
        if (name == row->name) return row;
    return nullptr;
}

std::string below(const std::string& folder, const std::string& name) {
    return folder.empty() ? name : folder + "/" + name;
}

// Inside a folder only files that look like media are streams; a file that is named is tried as it is.
bool looks_like_media(const std::string& path) {
    static const std::set<std::string> endings{
        ".3gp", ".264",  ".265", ".asf",   ".avi",       ".flv", ".gif", ".h264", ".h265", ".hevc", ".jpeg",
        ".jpg", ".m2ts", ".m4v", ".mjpeg", ".mjpg",      ".mkv", ".mov", ".mp4",  ".mpeg", ".mpg",  ".mts",
        ".mxf", ".nut",  ".ogv", ".png",   ".synthetic", ".ts",  ".vob", ".webm", ".wmv",  ".y4m"};
    std::string ending = fs::path(path).extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    return endings.contains(ending);
}

void search(const schema::Input& at, const std::string& path, int depth, std::vector<Found>& out) {
    const auto* row =
        depth > 0 && fs::is_regular_file(path) && !looks_like_media(path) ? nullptr : claimant(path);
    if (row) {
        out.push_back(
            {row->name, at.path.empty() ? fs::path(path).filename().string() : at.path, {at, path}});
        return;
    }
    if (!fs::is_directory(path) || depth > 32) return;
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path)) {
        const std::string name = entry.path().filename().string();
        // Hidden entries are not media; a symlink may lead out of the root or in a circle.
        if (!name.starts_with(".") && !entry.is_symlink()) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    for (const auto& name : names) search({at.root, below(at.path, name)}, path + "/" + name, depth + 1, out);
}

}  // namespace

Result<std::vector<Found>> find_streams(const Roots& roots, const schema::Input& input) {
    auto path = roots.resolve(input);
    if (!path) return path.error();
    std::vector<Found> found;
    schema::Input at = input;
    if (at.path == "." || at.path == "./") at.path.clear();
    while (at.path.ends_with('/')) at.path.pop_back();
    try {
        search(at, *path, 0, found);
    } catch (const fs::filesystem_error& e) {
        return Error{Errc::io, "cannot search '" + input.path + "' for videos: " + e.code().message(), ""};
    }
    if (found.empty() && !fs::is_directory(*path))
        return Error{Errc::bad_media,
                     "'" + input.path + "' is no video and no picture that this build can read",
                     "`ffprobe` tells what it is"};
    return found;
}

void IngestStage::work(bus::Envelope& item, worker::Emit& emit) {
    const auto task = item.as<schema::Task>();
    if (!task) {
        log::warn("bad_message", "{}", task.error().message);
        return;
    }
    if (task->token.unit == "scan") return scan(*task, emit);
    if (!emit.reachable(task->home)) return;  // the chunk will be leased to another home
    auto packets = cut(*task);
    if (!packets) {
        schema::Fail fail;
        fail.token = task->token;
        fail.code = code_name(packets.error().code);
        fail.message = packets.error().text();
        return emit.request(fail);
    }
    schema::ChunkMessage m;
    m.token = task->token;
    m.home = task->home;
    m.spec = task->spec;
    m.stream = task->stream;
    m.row = task->row;
    m.pieces = task->pieces;
    emit.to_any("preprocess", bus::Envelope::make(m).with(std::move(*packets)));
}

Result<schema::Bytes> IngestStage::cut(const schema::Task& task) {
    const std::string key = task.token.job + "/" + std::to_string(task.token.stream);
    auto open = std::find_if(open_.begin(), open_.end(), [&](const Open& o) { return o.key == key; });
    if (open == open_.end()) {
        const auto* row = by_name(task.stream.source);
        if (!row)
            return Error{Errc::unavailable, "this ingest worker has no source '" + task.stream.source + "'",
                         "run the same build everywhere"};
        auto path = roots_.resolve(task.stream.input);
        if (!path) return path.error();
        auto source = row->open({task.stream.input, *path});
        if (!source) return source.error();
        open_.push_front({key, std::move(*source)});
        if (open_.size() > max_open) open_.pop_back();
    } else {
        open_.splice(open_.begin(), open_, open);
    }
    std::string recut;
    if (!task.stream.recut.path.empty()) {
        auto path = roots_.resolve(task.stream.recut);
        if (!path) return path.error();
        recut = *path;
    }
    auto packets = open_.front().source->chunk(task.stream, task.row, recut);
    if (!packets) open_.pop_front();  // whatever it was, a fresh start may read it
    return packets;
}

// The job's folders are made here and nowhere else, so that nothing brings them back once they were swept.
Result<void> IngestStage::prepare(const schema::Task& task, std::size_t streams) {
    auto work = roots_.place({task.spec.output.root, work_path(task.spec)});
    if (!work) return work.error();
    std::error_code ec;
    fs::create_directories(*work + "/recut", ec);
    for (std::size_t i = 0; !ec && i < streams; ++i)
        fs::create_directories(*work + "/parts/" + std::to_string(i), ec);
    if (ec)
        return Error{ec.value() == ENOENT ? Errc::io : files::code_of(ec.value()),  // a late mount, perhaps
                     "cannot create the work folder " + *work + ": " + ec.message(),
                     files::hint_of(ec.value())};
    return {};
}

void IngestStage::scan(const schema::Task& task, worker::Emit& emit) {
    const auto fail = [&](const Error& e) {
        schema::Fail m;
        m.token = task.token;
        m.code = code_name(e.code);
        m.message = e.text();
        emit.request(m);
    };
    std::vector<Found> all;
    for (const auto& input : task.spec.inputs) {
        auto found = find_streams(roots_, input);
        if (!found) return fail(found.error());
        std::move(found->begin(), found->end(), std::back_inserter(all));
    }
    std::set<std::string> names;
    for (auto& f : all)  // the same path below two roots
        if (!names.insert(f.name).second) f.name = f.at.input.root + "/" + f.name;
    if (emit.stopped(task.token)) return;  // canceled while it searched: nothing must appear after the sweep
    if (auto ok = prepare(task, all.size()); !ok) return fail(ok.error());
    schema::FoundStreams found;
    found.token = task.token;
    for (const auto& f : all) found.names.push_back(f.name);
    emit.request(found);

    for (std::size_t i = 0; i < all.size(); ++i) {
        if (emit.stopped(task.token)) return;
        const Found& f = all[i];
        schema::Scanned m;
        m.token = task.token;
        m.stream = std::int32_t(i);
        schema::Input recut{task.spec.output.root, work_path(task.spec) + "/recut/" + std::to_string(i) +
                                                       "." + std::to_string(task.token.attempt) + ".nut"};
        media::ScanOptions options;
        options.sampling = media::sampling_of(task.spec);
        options.stop = [&] { return emit.stopped(task.token); };
        if (auto place = roots_.place(recut)) options.recut_path = *place;
        auto source = by_name(f.source)->open(f.at);
        auto scan = source ? (*source)->scan(options) : Result<media::Scan>(source.error());
        if (scan) {
            m.info = std::move(scan->stream);
            m.rows = std::move(scan->rows);
            m.info.name = f.name;
            m.info.source = f.source;
            m.info.input = f.at.input;
            if (!m.info.recut.path.empty()) m.info.recut = recut;
        } else {
            if (scan.error().code == Errc::canceled) return;
            if (scan.error().code == Errc::unavailable) return fail(scan.error());  // no fault of the file
            m.error_code = code_name(scan.error().code);
            m.error = scan.error().text();
        }
        emit.request(m);
    }
}

}  // namespace sl::ingest
