// What a store holds of jobs, as a broker that takes over reads it. Bytes are fields one after another: which
// one (a byte, of field_names), its length (two bytes, little-endian), its value.
#include "broker/job_records.hpp"
#include "broker/job_table.hpp"
#include "tests/fuzz/target.hpp"

namespace sl::fuzz {
namespace {

constexpr const char* field_names[] = {"job",
                                       "stream/0",
                                       "chunk/0/0",
                                       "chunk/0/1",
                                       "S/0/0",
                                       "S/0/1",
                                       "D/0/0",
                                       "reconciliation",
                                       "S/x",
                                       "D/0/",
                                       "S/1/99999999999999999999"};

template <typename T>
void put(Bytes& all, std::uint8_t field, const T& record) {
    const auto value = schema::encode(record);
    all.insert(all.end(), {field, std::uint8_t(value.size()), std::uint8_t(value.size() >> 8)});
    all.insert(all.end(), value.begin(), value.end());
}

std::vector<Bytes> seeds() {
    Bytes all;
    broker::JobRecord job;
    job.spec.job = "J";
    job.spec.inputs = {{"media", "a.mp4"}};
    job.state = "running";
    job.found = true;
    job.streams = 1;
    broker::StreamRecord stream;
    stream.name = "a.mp4";
    stream.scanned = true;
    stream.chunks = 2;
    broker::ChunkRecord done, leased;
    done.state = "done";
    done.attempt = 1;
    done.parts = {{"video", "parts/0", 1, "ff"}};
    leased.state = "leased";
    leased.attempt = 2;
    leased.holder = "w";
    put(all, 0, job);
    put(all, 1, stream);
    put(all, 2, done);
    put(all, 3, leased);
    put(all, 5, schema::StreamState{});
    put(all, 6, schema::Detections{});
    put(all, 7, broker::Reconciliation{});
    return {all};
}

void run(View bytes) {
    (void)schema::decode<schema::StreamState>(bytes, "S");
    (void)schema::decode<schema::Detections>(bytes, "D");
    store::Records records;
    auto& fields = records["job:J"];
    while (bytes.size() >= 3) {
        const auto* name = field_names[bytes[0] % std::size(field_names)];
        const std::size_t size = std::min<std::size_t>(bytes[1] | bytes[2] << 8, bytes.size() - 3);
        fields[name] = std::string(bytes.begin() + 3, bytes.begin() + 3 + std::ptrdiff_t(size));
        bytes = bytes.subspan(3 + size);
    }
    broker::JobTable table(1, {});
    if (!table.load(records)) return;
    for (const auto& [token, holder] : table.leases()) check(table.current(token), "a lease is current");
    for (const auto& [id, job] : table.jobs()) {
        (void)table.stream_parts(job);
        (void)job.in_flight();
    }
}

}  // namespace

const Target target_records{"records", &run, &seeds};

}  // namespace sl::fuzz
