#include "schema/result.hpp"

#include <array>

namespace sl {
namespace {

struct Row {
    Errc code;
    std::string_view name;
};
constexpr std::array<Row, 12> rows{{{Errc::invalid_argument, "INVALID_PARAMS"},
                                    {Errc::not_found, "NOT_FOUND"},
                                    {Errc::conflict, "CONFLICT"},
                                    {Errc::bad_message, "BAD_MESSAGE"},
                                    {Errc::unsupported_version, "UNSUPPORTED_VERSION"},
                                    {Errc::bad_media, "BAD_MEDIA"},
                                    {Errc::stale, "STALE"},
                                    {Errc::canceled, "CANCELED"},
                                    {Errc::io, "IO"},
                                    {Errc::unavailable, "UNAVAILABLE"},
                                    {Errc::timeout, "TIMEOUT"},
                                    {Errc::internal, "INTERNAL"}}};

}  // namespace

std::string_view code_name(Errc code) {
    for (const Row& row : rows)
        if (row.code == code) return row.name;
    return "INTERNAL";
}

Errc code_from_name(std::string_view name) {
    for (const Row& row : rows)
        if (row.name == name) return row.code;
    return Errc::internal;
}

}  // namespace sl
