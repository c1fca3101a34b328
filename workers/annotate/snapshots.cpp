#include "workers/annotate/snapshots.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "common/log.hpp"
#include "common/media/jpeg.hpp"

namespace sl::annotate {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::minutes between_looks{1};

std::string file_name(const std::string& name) {
    return name + ".jpg";
}

}  // namespace

std::string Snapshots::reference(const std::string& name) const {
    return options_.root + ":" + (options_.path.empty() ? "" : options_.path + "/") + file_name(name);
}

Result<void> Snapshots::write(const std::string& name, const AVFrame& picture) {
    const auto bytes = media::jpeg(picture);
    if (!bytes) return bytes.error();
    std::error_code ec;
    fs::create_directories(options_.folder, ec);  // not before: who has no cameras has no folder either
    const fs::path path = fs::path(options_.folder) / file_name(name);
    const fs::path part = path.string() + ".part";
    std::ofstream out(part, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes->data()), std::streamsize(bytes->size()));
    out.close();
    if (out) fs::rename(part, path, ec);
    if (!out || ec) {
        fs::remove(part, ec);
        return Error{Errc::io, "cannot write the snapshot " + path.string(),
                     "is there space left, and may this user write there?"};
    }
    written_ += std::int64_t(bytes->size());
    const auto now = Clock::now();
    // At least each sixteenth of the room: others write there, too.
    if (written_ >= (options_.max_mb << 20) / 16 || now - looked_ >= between_looks) {
        prune();
        written_ = 0;
        looked_ = now;
    }
    return {};
}

void Snapshots::prune() {
    struct File {
        fs::file_time_type time;
        std::int64_t bytes;
        fs::path path;
    };
    std::vector<File> files;
    std::int64_t total = 0;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(options_.folder, ec)) {
        const auto ending = entry.path().extension();
        if (ending != ".jpg" && ending != ".part") continue;
        std::error_code gone;  // another process may prune, too
        const auto bytes = std::int64_t(entry.file_size(gone));
        const auto time = entry.last_write_time(gone);
        if (gone) continue;
        total += bytes;
        files.push_back({time, bytes, entry.path()});
    }
    std::ranges::sort(files, {}, [](const File& f) { return std::tie(f.time, f.path); });
    const auto oldest = fs::file_time_type::clock::now() - std::chrono::hours(options_.max_hours);
    std::size_t removed = 0;
    for (const File& file : files) {
        if (file.time >= oldest && total <= options_.max_mb << 20) break;
        if (fs::remove(file.path, ec)) ++removed;
        total -= file.bytes;
    }
    if (removed > 0) log::debug("snapshots_pruned", "removed={} left_mb={}", removed, total >> 20);
}

}  // namespace sl::annotate
