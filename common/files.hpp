// Files: durable writes, digests, and paths that stay below their root.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "schema/result.hpp"

namespace sl::files {

// What a system call's error means: not_found, unavailable (no space or quota: it may come back, and nothing
// is wrong with the work), else io. And what to do about it.
Errc code_of(int error);
std::string hint_of(int error);

// Lower-case hex SHA-256.
std::string sha256(std::span<const std::uint8_t> bytes);
std::string sha256(std::string_view bytes);
Result<std::string> sha256_file(const std::string& path);

Result<std::string> read(const std::string& path);
// Writes `path`.tmp, fsyncs it, renames it to `path`, fsyncs the folder.
Result<void> write_durably(const std::string& path, std::string_view bytes);
// fsync of a file that another writer closed, or of a folder.
Result<void> sync(const std::string& path);

// root + relative → canonical absolute path that exists below root. Refuses absolute paths, "..", and
// symlinks that lead out, naming the root (by `root_name`) in the error.
Result<std::string> resolve_below(const std::string& root_name, const std::string& root,
                                  const std::string& relative);
// The same for a path that need not exist yet: no symlink is followed out of the root.
Result<std::string> place_below(const std::string& root_name, const std::string& root,
                                const std::string& relative);

}  // namespace sl::files
