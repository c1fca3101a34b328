// A file written bit by bit: to `path`.tmp, which takes its name only when it is complete and on the disk.
#pragma once

#include <string>
#include <string_view>

#include "schema/result.hpp"

namespace sl::annotate {

class OutFile {
public:
    static Result<OutFile> create(const std::string& path);
    OutFile(OutFile&& other) noexcept;
    ~OutFile();  // without finish: removes what was written

    void write(std::string_view text);  // a failure is kept and reported by finish
    Result<void> finish();              // flushes, fsyncs, renames

private:
    OutFile(std::string path, int fd);
    void flush();

    std::string path_;
    int fd_ = -1;
    int error_ = 0;  // errno of the first write that failed
    std::string buffer_;
};

// The same end for a file that something else wrote to `path`.tmp: fsync and rename; remove it when
// `written` is an error, which is then returned.
Result<void> settle(const std::string& path, const Result<void>& written);

}  // namespace sl::annotate
