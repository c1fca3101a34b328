#include "schema/codec.hpp"

namespace sl::schema {

Result<msgpack::object_handle> unpack(std::span<const std::uint8_t> bytes, std::string_view what) {
    const auto bad = [&](const std::string& why) {
        return Error{Errc::bad_message, "cannot read " + std::string(what) + ": " + why, ""};
    };
    if (bytes.size() > max_record_bytes)
        return bad(std::to_string(bytes.size()) + " bytes, the limit is " + std::to_string(max_record_bytes));
    try {
        // Array, map, str, bin, ext, depth. Elements are bounded by the bytes that could hold them, so a
        // forged length asks for no more memory than the message itself is worth.
        const std::size_t n = bytes.size();
        std::size_t used = 0;
        auto handle = msgpack::unpack(reinterpret_cast<const char*>(bytes.data()), n, used, nullptr, nullptr,
                                      msgpack::unpack_limit(n, n, n, n, 0, 24));
        if (used != n) return bad(std::to_string(n - used) + " bytes behind its end");
        if (handle.get().type != msgpack::type::MAP) return bad("it is not a map");
        return handle;
    } catch (const std::exception& e) {
        return bad(e.what());
    }
}

}  // namespace sl::schema
