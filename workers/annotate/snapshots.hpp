// Snapshots: the pictures of alerts, as JPEG files of one folder that never outgrows its bounds. Several
// processes may share the folder: each prunes what is there, whoever wrote it.
#pragma once

#include <cstdint>
#include <string>

#include "common/ids.hpp"
#include "common/media/media.hpp"

namespace sl::annotate {

class Snapshots {
public:
    struct Options {
        std::string root;           // name of the root
        std::string path;           // folder below it
        std::string folder;         // the same, absolute
        std::int64_t max_mb = 512;  // then the oldest go
        std::int64_t max_hours = 72;
    };
    // The folder is made with the first picture.
    explicit Snapshots(Options options) : options_(std::move(options)) {}

    // What Alert.snapshot says of a picture of this name: known before it is written.
    std::string reference(const std::string& name) const;
    // Writes the JPEG, whole or not at all, and prunes now and then. One thread.
    Result<void> write(const std::string& name, const AVFrame& picture);

private:
    void prune();

    Options options_;
    std::int64_t written_ = 0;  // bytes since the folder was looked at
    Clock::time_point looked_{};
};

}  // namespace sl::annotate
