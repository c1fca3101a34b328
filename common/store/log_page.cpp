#include "common/store/log_page.hpp"

#include "schema/codec.hpp"

namespace sl::store {
namespace {

struct PageEntry {
    std::uint64_t epoch = 0, n = 0;
    std::string topic, kind, job;
    std::int64_t time_ns = 0;
    std::string body;
    bool audit = true;
    MSGPACK_DEFINE_MAP(epoch, n, topic, kind, job, time_ns, body, audit)
};
struct Page {
    std::vector<PageEntry> entries;
    MSGPACK_DEFINE_MAP(entries)
};

}  // namespace

std::string pack_page(std::span<const LogEntry> entries) {
    if (entries.empty()) return "";
    // Written as PageEntry is, without copying the texts into one first.
    msgpack::sbuffer buffer;
    msgpack::packer<msgpack::sbuffer> p(buffer);
    p.pack_map(1);
    p.pack("entries");
    p.pack_array(std::uint32_t(entries.size()));
    for (const LogEntry& e : entries) {
        p.pack_map(8);
        p.pack("epoch").pack(e.id.epoch).pack("n").pack(e.id.n);
        p.pack("topic").pack(e.topic).pack("kind").pack(e.kind).pack("job").pack(e.job);
        p.pack("time_ns").pack(e.time_ns).pack("body").pack(e.body).pack("audit").pack(e.audit);
    }
    return {buffer.data(), buffer.size()};
}

Result<void> unpack_page(std::string_view page, LogId after, std::vector<LogEntry>& out) {
    auto read = schema::decode<Page>({reinterpret_cast<const std::uint8_t*>(page.data()), page.size()},
                                     "a page of the log");
    if (!read) return read.error();
    for (PageEntry& e : read->entries)
        if (const LogId id{e.epoch, e.n}; id > after)
            out.push_back({id, std::move(e.topic), std::move(e.kind), std::move(e.job), e.time_ns,
                           std::move(e.body), e.audit});
    return {};
}

}  // namespace sl::store
