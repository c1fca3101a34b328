// encode / decode: the one place where bytes become records, with limits.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "schema/result.hpp"
#include "schema/types.hpp"

namespace sl::schema {

inline constexpr std::string_view protocol_id = "SL1";  // first frame of every message

// A decoded record may not hold more than this; found by the decoder before memory is asked for.
inline constexpr std::size_t max_record_bytes = 64u << 20;

template <typename T>
Bytes encode(const T& value) {
    msgpack::sbuffer buffer;
    msgpack::pack(buffer, value);
    return Bytes(buffer.data(), buffer.data() + buffer.size());
}

// Unpacks exactly one map, no trailing bytes, within limits; `what` names the record in the error.
Result<msgpack::object_handle> unpack(std::span<const std::uint8_t> bytes, std::string_view what);

template <typename T>
Result<T> decode(std::span<const std::uint8_t> bytes, std::string_view what) {
    auto handle = unpack(bytes, what);
    if (!handle) return handle.error();
    try {
        return handle->get().template as<T>();
    } catch (const std::exception& e) {
        return Error{Errc::bad_message, "cannot read " + std::string(what) + ": " + e.what(), ""};
    }
}

}  // namespace sl::schema
