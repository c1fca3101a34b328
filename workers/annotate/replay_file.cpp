#include "workers/annotate/replay_file.hpp"

#include <span>

#include "common/files.hpp"
#include "schema/codec.hpp"
#include "workers/annotate/out_file.hpp"

namespace sl::annotate {
namespace {
constexpr std::size_t length_bytes = 8;
}

void append_record(OutFile& out, const schema::Bytes& record) {
    std::string length(length_bytes, '\0');
    for (std::size_t i = 0; i < length_bytes; ++i)
        length[i] = char(std::uint64_t(record.size()) >> (8 * i) & 0xff);
    out.write(length);
    out.write({reinterpret_cast<const char*>(record.data()), record.size()});
}

Result<Replay> read_replay(const std::string& path) {
    const auto text = files::read(path);
    if (!text) return text.error();
    const auto none = [&](const std::string& why) {
        return Error{Errc::bad_media, "cannot read " + path + ": it is no replay file: " + why,
                     "the exporter replay makes one"};
    };
    std::span<const std::uint8_t> rest(reinterpret_cast<const std::uint8_t*>(text->data()), text->size());
    Replay out;
    for (bool first = true; first || !rest.empty(); first = false) {
        if (rest.size() < length_bytes) return none("it ends in the middle of a record");
        std::uint64_t length = 0;
        for (std::size_t i = 0; i < length_bytes; ++i) length |= std::uint64_t(rest[i]) << (8 * i);
        rest = rest.subspan(length_bytes);
        if (rest.size() < length) return none("it ends in the middle of a record");
        if (first) {
            auto head = schema::decode<ReplayHead>(rest.first(length), "the head");
            if (!head) return none(head.error().message);
            if (head->version != 1) return none("version " + std::to_string(head->version) + " is not known");
            out.head = std::move(*head);
        } else {
            auto frame = schema::decode<schema::FrameBoxes>(rest.first(length), "a frame");
            if (!frame) return none(frame.error().message);
            out.detections.frames.push_back(std::move(*frame));
        }
        rest = rest.subspan(length);
    }
    return out;
}

}  // namespace sl::annotate
