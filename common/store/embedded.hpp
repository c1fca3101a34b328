// Files of schema/ compiled into the program: Lua scripts and SQL migrations, sorted by name.
#pragma once

#include <span>
#include <string_view>

namespace sl::store {

struct Embedded {
    std::string_view name;  // file name
    std::string_view text;
};
std::span<const Embedded> redis_scripts();
std::span<const Embedded> postgres_migrations();

}  // namespace sl::store
