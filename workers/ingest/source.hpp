// Source: where a stream's chunks come from. One file in sources/ is one plug-in: it defines a row
// `extern const SourcePlugin source_<file stem>` and hides all else. The table is made from the folder.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/media/media.hpp"

namespace sl::ingest {

// An input made absolute and checked against its root by the caller.
struct Located {
    schema::Input input;
    std::string path;  // absolute, canonical
};

// One stream that an input turned out to hold.
struct Found {
    std::string source;  // plug-in name
    std::string name;    // artifact folder: relative path of the input
    Located at;
};

class Source {
public:
    virtual ~Source() = default;
    // Reads the whole input once. May take long; options.stop is polled.
    virtual Result<media::Scan> scan(const media::ScanOptions& options) = 0;
    // The packed packets of one chunk. `recut_path`: absolute path of the stream's recut file, or empty.
    virtual Result<schema::Bytes> chunk(const schema::StreamInfo& stream, const schema::Row& row,
                                        const std::string& recut_path) = 0;
};

struct SourcePlugin {
    const char* name;
    const char* help;
    // Higher is asked first; 0: not mine. Given an existing file or folder (by path, never by reading all).
    int (*claims)(const std::string& absolute_path);
    Result<std::unique_ptr<Source>> (*open)(const Located& at);
};

std::span<const SourcePlugin* const> source_table();

}  // namespace sl::ingest
