#include "common/media/chunk_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/files.hpp"

namespace sl::media {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view magic = "SLCHUNK1";

void write_u64(std::ostream& out, std::uint64_t value) {
    std::array<char, 8> bytes{};
    for (auto& byte : bytes) byte = char(value & 255), value >>= 8;
    out.write(bytes.data(), bytes.size());
}

std::uint64_t read_u64(std::istream& in) {
    std::array<char, 8> bytes{};
    in.read(bytes.data(), bytes.size());
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::uint8_t(bytes[i]);
    return value;
}

bool read_magic(std::istream& in) {
    std::array<char, magic.size()> bytes{};
    return in.read(bytes.data(), bytes.size()) && std::equal(bytes.begin(), bytes.end(), magic.begin());
}

}  // namespace

Result<std::unique_ptr<ChunkFileWriter>> ChunkFileWriter::create(const std::string& path) {
    std::unique_ptr<ChunkFileWriter> writer(new ChunkFileWriter(path));
    writer->out_.open(writer->tmp_, std::ios::binary | std::ios::trunc);
    writer->out_ << magic;
    if (!writer->out_) return writer->failure("create");
    return writer;
}

ChunkFileWriter::~ChunkFileWriter() {
    std::error_code ignored;
    if (!finished_) fs::remove(tmp_, ignored);
}

Error ChunkFileWriter::failure(const std::string& what) const {
    const int e = errno;
    return Error{files::code_of(e),
                 "cannot " + what + " the lossless intermediate " + tmp_ + ": " + std::strerror(e),
                 files::hint_of(e)};
}

Result<void> ChunkFileWriter::add(std::span<const std::uint8_t> chunk) {
    out_.write(reinterpret_cast<const char*>(chunk.data()), std::streamsize(chunk.size()));
    if (!out_) return failure("write");
    offsets_.push_back(offsets_.back() + chunk.size());
    return {};
}

Result<void> ChunkFileWriter::finish() {
    for (const auto offset : offsets_) write_u64(out_, offset);
    write_u64(out_, offsets_.size() - 1);
    out_ << magic;
    out_.close();
    if (!out_) return failure("write");
    if (auto synced = files::sync(tmp_); !synced) return synced;
    std::error_code ec;
    fs::rename(tmp_, path_, ec);
    if (ec) return Error{Errc::io, "cannot rename " + tmp_ + " into place: " + ec.message(), ""};
    finished_ = true;
    return files::sync(fs::path(path_).parent_path().string());
}

Result<std::unique_ptr<ChunkFileReader>> ChunkFileReader::open(const std::string& path) {
    std::unique_ptr<ChunkFileReader> reader(new ChunkFileReader(path));
    const Error damaged{Errc::bad_media, "cannot read the lossless intermediate " + path + ": it is damaged",
                        "submit the input again"};
    auto& in = reader->in_;
    in.open(path, std::ios::binary | std::ios::ate);
    if (!in)
        return Error{Errc::not_found,
                     "cannot open the lossless intermediate " + path + ": " + std::strerror(errno), ""};
    const auto size = std::uint64_t(in.tellg());
    constexpr std::uint64_t frame = 3 * 8;  // magic, count, magic
    if (size < frame + 8) return damaged;
    in.seekg(-16, std::ios::end);
    const std::uint64_t count = read_u64(in);
    if (!read_magic(in) || count >= (size - frame) / 8) return damaged;
    const std::uint64_t index = size - 16 - (count + 1) * 8;
    in.seekg(std::streamoff(index));
    for (std::uint64_t i = 0; i <= count; ++i) reader->offsets_.push_back(read_u64(in));
    const auto& offsets = reader->offsets_;
    if (!in || offsets.front() != 8 || offsets.back() != index ||
        !std::is_sorted(offsets.begin(), offsets.end()))
        return damaged;
    return reader;
}

Result<schema::Bytes> ChunkFileReader::read(std::int64_t index) {
    if (index < 0 || std::size_t(index) + 1 >= offsets_.size())
        return Error{Errc::bad_media,
                     "cannot read chunk " + std::to_string(index) + " of " + path_ + ": it holds " +
                         std::to_string(offsets_.size() - 1),
                     ""};
    const auto at = std::size_t(index);
    schema::Bytes bytes(offsets_[at + 1] - offsets_[at]);
    in_.clear();
    in_.seekg(std::streamoff(offsets_[at]));
    if (!in_.read(reinterpret_cast<char*>(bytes.data()), std::streamsize(bytes.size())))
        return Error{
            Errc::io,
            "cannot read chunk " + std::to_string(index) + " of " + path_ + ": " + std::strerror(errno), ""};
    return bytes;
}

bool is_chunk_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return in && read_magic(in);
}

}  // namespace sl::media
