// Files that people write: a model's manifest, the configuration.
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/config.hpp"
#include "common/model/manifest.hpp"
#include "tests/fuzz/target.hpp"

namespace sl::fuzz {
namespace {

std::vector<Bytes> seeds() {
    std::vector<Bytes> all;
    for (const char* file :
         {"/schema/models/hog_people.yaml", "/schema/models/yolox_nano.yaml", "/compose/sightline.yaml"}) {
        std::ifstream in(source_dir() + file, std::ios::binary);
        all.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
        check(!all.back().empty(), "the program's own files can be read");
    }
    return all;
}

void run(View bytes) {
    const int file = ::memfd_create("fuzz", 0);
    check(file >= 0 && ::write(file, bytes.data(), bytes.size()) == ssize_t(bytes.size()),
          "a file can be made");
    const std::string path = "/proc/self/fd/" + std::to_string(file);
    if (const auto manifest = model::load_manifest(path); !manifest)
        check(!manifest.error().message.empty(), "what is refused is told why");
    if (const auto config = config::load(path); !config)
        check(!config.error().message.empty(), "what is refused is told why");
    else
        (void)config::to_json(*config).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    ::close(file);
}

}  // namespace

const Target target_yaml{"yaml", &run, &seeds};

}  // namespace sl::fuzz
