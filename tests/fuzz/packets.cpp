// Packed chunks and codec records off the wire, and chunk files off the disk.
#include <sys/mman.h>
#include <unistd.h>

#include "common/media/carry.hpp"
#include "common/media/chunk_file.hpp"
#include "tests/fuzz/target.hpp"

namespace sl::fuzz {
namespace {

Bytes small_chunk() {
    media::CodecParametersPtr codec(avcodec_parameters_alloc());
    codec->codec_type = AVMEDIA_TYPE_VIDEO;
    codec->codec_id = AV_CODEC_ID_MPEG4;
    codec->width = 64;
    codec->height = 48;
    media::ChunkPacker packer(*codec);
    Bytes data(40, 7);
    for (int i = 0; i < 3; ++i) {
        AVPacket packet{};
        packet.data = data.data();
        packet.size = int(data.size());
        packet.pts = i;
        packet.duration = 1;
        packet.flags = i == 0 ? AV_PKT_FLAG_KEY : 0;
        packer.add(packet, true);
    }
    return packer.take();
}

Bytes small_file() {
    const std::string path = "/tmp/sl-fuzz-" + std::to_string(::getpid()) + ".chunks";
    {
        auto writer = media::ChunkFileWriter::create(path);
        check(bool(writer), "a chunk file can be made");
        for (int i = 0; i < 2; ++i) check(bool((*writer)->add(small_chunk())), "a chunk can be added");
        check(bool((*writer)->finish()), "a chunk file can be finished");
    }
    std::ifstream in(path, std::ios::binary);
    Bytes bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    ::unlink(path.c_str());
    return bytes;
}

std::vector<Bytes> seeds() {
    return {small_chunk(), small_file()};
}

void run(View bytes) {
    (void)media::unpack_codec(bytes);
    if (const auto chunk = media::unpack_chunk(bytes)) {
        std::size_t payload = 0;
        for (const auto& packet : chunk->packets) {
            payload += packet.data.size();
            (void)packet.packet();
        }
        check(payload <= bytes.size(), "no packet is outside the chunk");
    }
    const int file = ::memfd_create("fuzz", 0);
    check(file >= 0 && ::write(file, bytes.data(), bytes.size()) == ssize_t(bytes.size()),
          "a file can be made");
    const std::string path = "/proc/self/fd/" + std::to_string(file);
    (void)media::is_chunk_file(path);
    if (const auto reader = media::ChunkFileReader::open(path))
        for (const std::int64_t i : {std::int64_t(-1), std::int64_t(0), std::int64_t(1), INT64_MAX})
            if (const auto chunk = (*reader)->read(i))
                check(chunk->size() <= bytes.size(), "no chunk is larger than its file");
    ::close(file);
}

}  // namespace

const Target target_packets{"packets", &run, &seeds};

}  // namespace sl::fuzz
