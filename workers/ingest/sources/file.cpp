// Source "file": a video file of any container and codec that libav reads.
#include <filesystem>

#include "workers/ingest/source.hpp"

namespace sl::ingest {
namespace {

class FileSource final : public Source {
public:
    explicit FileSource(Located at) : at_(std::move(at)) {}

    Result<media::Scan> scan(const media::ScanOptions& options) override {
        auto scan = media::scan_file(at_.path, options);
        if (scan) scan->stream.source = "file";
        return scan;
    }

    Result<schema::Bytes> chunk(const schema::StreamInfo& stream, const schema::Row& row,
                                const std::string& recut_path) override {
        const std::string& path = recut_path.empty() ? at_.path : recut_path;
        if (!cutter_ || path != open_path_) {
            auto opened = media::Cutter::open(path, stream);
            if (!opened) return opened.error();
            cutter_ = std::move(*opened);
            open_path_ = path;
        }
        return cutter_->cut(row);
    }

private:
    const Located at_;
    std::string open_path_;
    std::unique_ptr<media::Cutter> cutter_;
};

// Whether it is a video shows when it is opened: names say little.
int claims(const std::string& path) {
    return std::filesystem::is_regular_file(path) ? 1 : 0;
}

Result<std::unique_ptr<Source>> open(const Located& at) {
    return std::unique_ptr<Source>(new FileSource(at));
}

}  // namespace

extern const SourcePlugin source_file;
const SourcePlugin source_file{"file", "a video file, any container and codec that libav reads", claims,
                               open};

}  // namespace sl::ingest
