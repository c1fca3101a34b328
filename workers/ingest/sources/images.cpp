// Source "images": a folder of JPEG and PNG pictures, or one picture, as a stream of one picture a second.
// A chunk carries the files' bytes as they are. The canvas holds the widest and the highest picture; smaller
// ones lie in its top left corner. EXIF orientation is not looked at: pictures appear as they are stored.
#include <algorithm>
#include <filesystem>

#include "common/files.hpp"
#include "common/media/carry.hpp"
#include "common/media/splitter.hpp"
#include "workers/ingest/source.hpp"

namespace sl::ingest {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t ticks_a_picture = 1000;
constexpr schema::Rational time_base{1, 1000};

AVCodecID picture_codec(const fs::path& path) {
    std::string ext = path.extension().string();
    std::transform(ext.begin(), ext.end(), ext.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    if (ext == ".jpg" || ext == ".jpeg") return AV_CODEC_ID_MJPEG;
    if (ext == ".png") return AV_CODEC_ID_PNG;
    return AV_CODEC_ID_NONE;
}

struct Size {
    int width = 0;
    int height = 0;  // 0x0: no such picture
};

int be16(const std::string& bytes, std::size_t at) {
    return std::uint8_t(bytes[at]) << 8 | std::uint8_t(bytes[at + 1]);
}

// PNG: the first chunk is IHDR. JPEG: the first start-of-frame segment (C0 to CF without C4, C8, CC).
Size picture_size(const std::string& bytes, AVCodecID codec) {
    if (codec == AV_CODEC_ID_PNG) {
        if (bytes.size() < 24 || bytes.compare(0, 8, "\x89PNG\r\n\x1a\n") != 0) return {};
        if (be16(bytes, 16) != 0 || be16(bytes, 20) != 0) return {};  // over 65535
        return {be16(bytes, 18), be16(bytes, 22)};
    }
    if (bytes.size() < 4 || be16(bytes, 0) != 0xFFD8) return {};
    for (std::size_t at = 2; at + 9 <= bytes.size();) {
        const int marker = be16(bytes, at);
        if (marker == 0xFFFF) {  // fill byte
            ++at;
            continue;
        }
        if (marker < 0xFFC0) return {};
        const int low = marker & 0xFF;
        if (low <= 0xCF && low != 0xC4 && low != 0xC8 && low != 0xCC)
            return {be16(bytes, at + 7), be16(bytes, at + 5)};
        at += 2 + std::size_t(be16(bytes, at + 2));
    }
    return {};
}

class ImagesSource final : public Source {
public:
    ImagesSource(fs::path folder, std::vector<std::string> names)
        : folder_(std::move(folder)), names_(std::move(names)) {}

    Result<media::Scan> scan(const media::ScanOptions& options) override {
        media::Scan scan;
        auto& stream = scan.stream;
        stream.source = "images";
        stream.time_base = time_base;
        stream.frame_rate = {1, 1};
        stream.fit = "pad";
        stream.names = names_;

        // One batch of pictures a chunk, less when they are large.
        constexpr std::size_t chunk_pictures = schema::batch_frames;
        media::RowTable rows(time_base, options.sampling);
        std::vector<std::int64_t> times;
        std::int64_t bytes = 0;
        std::string fingerprint;
        const auto close = [&](std::size_t next) {
            rows.add(times, std::int64_t(next) * ticks_a_picture, bytes, fingerprint);
            times.clear();
            bytes = 0;
        };
        for (std::size_t i = 0; i < names_.size(); ++i) {
            if (options.stop && options.stop())
                return Error{Errc::canceled, "canceled while scanning " + folder_.string(), ""};
            const auto picture = files::read((folder_ / names_[i]).string());
            if (!picture) return picture.error();
            const auto size = picture_size(*picture, picture_codec(names_[i]));
            stream.width = std::max(stream.width, size.width);
            stream.height = std::max(stream.height, size.height);
            const bool full = times.size() == chunk_pictures;
            if (!times.empty() && (full || bytes + std::int64_t(picture->size()) > options.max_chunk_bytes))
                close(i);
            const std::int64_t pts = std::int64_t(i) * ticks_a_picture;
            if (times.empty()) fingerprint = media::fingerprint(pts, view(*picture));
            times.push_back(pts);
            bytes += std::int64_t(picture->size());
        }
        close(names_.size());
        if (stream.width == 0 || stream.height == 0)
            return Error{Errc::bad_media,
                         "cannot use the pictures in " + folder_.string() + ": none of the " +
                             std::to_string(names_.size()) + " files is a JPEG or PNG picture",
                         "are the files whole?"};
        scan.rows = std::move(rows.rows);
        stream.frames = rows.frames;
        stream.end_pts = scan.rows.back().end_pts;
        stream.video_codec = avcodec_get_name(picture_codec(names_.front()));
        stream.codec = media::pack_codec(*parameters(stream));
        return scan;
    }

    Result<schema::Bytes> chunk(const schema::StreamInfo& stream, const schema::Row& row,
                                const std::string& /*recut_path*/) override {
        const Error changed{Errc::bad_media,
                            "cannot cut chunk " + std::to_string(row.seq) + " of the pictures in " +
                                folder_.string() + ": they are not what the scan saw",
                            "was the folder changed while the job ran? submit it again"};
        if (row.first_frame < 0 || row.frames <= 0 ||
            std::size_t(row.first_frame + row.frames) > stream.names.size())
            return changed;
        media::ChunkPacker packer(*parameters(stream));
        std::int64_t bytes = 0;
        for (std::int64_t i = row.first_frame; i < row.first_frame + row.frames; ++i) {
            const std::string& name = stream.names[std::size_t(i)];
            auto picture = files::read((folder_ / name).string());
            if (!picture) return picture.error();
            const std::int64_t pts = i * ticks_a_picture;
            if (i == row.first_frame && media::fingerprint(pts, view(*picture)) != row.fingerprint)
                return changed;
            auto packet = media::new_packet();
            packet->data = reinterpret_cast<std::uint8_t*>(picture->data());  // borrowed for the call
            packet->size = int(picture->size());
            packet->pts = pts;
            packet->duration = ticks_a_picture;
            packet->flags = AV_PKT_FLAG_KEY;
            packer.add(*packet, true, picture_codec(name));
            bytes += std::int64_t(picture->size());
        }
        if (bytes != row.bytes) return changed;
        return packer.take();
    }

private:
    static std::span<const std::uint8_t> view(const std::string& bytes) {
        return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
    }

    // Full range BT.601, as JPEG has it; PNG is converted to it.
    media::CodecParametersPtr parameters(const schema::StreamInfo& stream) const {
        auto codec = media::new_parameters();
        codec->codec_type = AVMEDIA_TYPE_VIDEO;
        codec->codec_id = picture_codec(stream.names.front());
        codec->format = AV_PIX_FMT_YUVJ420P;
        codec->width = stream.width;
        codec->height = stream.height;
        codec->color_range = AVCOL_RANGE_JPEG;
        codec->color_space = AVCOL_SPC_BT470BG;
        codec->chroma_location = AVCHROMA_LOC_CENTER;
        return codec;
    }

    const fs::path folder_;
    const std::vector<std::string> names_;
};

constexpr bool is_media_name(std::string_view ext) {
    constexpr std::string_view known[] = {
        ".3gp",  ".264", ".265",   ".asf",       ".avi", ".flv", ".gif",  ".h264", ".h265", ".hevc",
        ".m2ts", ".m4v", ".mjpeg", ".mjpg",      ".mkv", ".mov", ".mp4",  ".mpeg", ".mpg",  ".mts",
        ".mxf",  ".nut", ".ogv",   ".synthetic", ".ts",  ".vob", ".webm", ".wmv",  ".y4m"};
    return std::find(std::begin(known), std::end(known), ext) != std::end(known);
}

// The pictures of a folder by name; nothing when it holds a video as well.
std::vector<std::string> pictures_of(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(folder, ec)) {
        if (!entry.is_regular_file(ec)) continue;
        if (picture_codec(entry.path()) != AV_CODEC_ID_NONE) {
            names.push_back(entry.path().filename().string());
            continue;
        }
        std::string ext = entry.path().extension().string();
        std::transform(ext.begin(), ext.end(), ext.begin(),
                       [](unsigned char c) { return char(std::tolower(c)); });
        if (is_media_name(ext)) return {};
    }
    std::sort(names.begin(), names.end());
    return names;
}

int claims(const std::string& path) {
    if (fs::is_directory(path)) return pictures_of(path).empty() ? 0 : 10;
    return fs::is_regular_file(path) && picture_codec(path) != AV_CODEC_ID_NONE ? 10 : 0;
}

Result<std::unique_ptr<Source>> open(const Located& at) {
    const fs::path path(at.path);
    if (fs::is_regular_file(path))
        return std::unique_ptr<Source>(new ImagesSource(path.parent_path(), {path.filename().string()}));
    auto names = pictures_of(path);
    if (names.empty())
        return Error{Errc::bad_media,
                     "cannot use the folder " + at.path + ": it holds no JPEG or PNG pictures", ""};
    return std::unique_ptr<Source>(new ImagesSource(path, std::move(names)));
}

}  // namespace

extern const SourcePlugin source_images;
const SourcePlugin source_images{"images", "a folder of JPEG and PNG pictures, or one picture", claims, open};

}  // namespace sl::ingest
