#include "workers/annotate/annotate.hpp"

#include "common/log.hpp"
#include "workers/annotate/render.hpp"

namespace sl::annotate {

void AnnotateStage::work(bus::Envelope& item, worker::Emit& emit) {
    if (item.type() == "render") {
        if (const auto m = item.as<LocalRender>()) render(m->token, emit);
        return;
    }
    const auto task = item.as<schema::Task>();
    if (!task) {
        log::warn("bad_message", "{}", task.error().message);
        return;
    }
    schema::UnitDone done;
    done.token = task->token;
    Result<void> ok;
    if (task->token.unit == "final") {
        auto digest = finalize(roots_, *task, [&] { return emit.stopped(task->token); });
        if (digest)
            done.digest = *digest;
        else
            ok = digest.error();
    } else {
        ok = sweep(roots_, *task);
    }
    if (ok) return emit.request(done);
    if (ok.error().code == Errc::canceled) return;
    schema::Fail fail;
    fail.token = task->token;
    // A folder that is not there: another host may see it (a late mount), so it is tried again.
    fail.code = code_name(ok.error().code == Errc::not_found ? Errc::io : ok.error().code);
    fail.message = ok.error().text();
    emit.request(fail);
}

void AnnotateStage::render(const schema::Token& token, worker::Emit& emit) {
    const auto item = home_.take_item(token);
    if (!item || emit.stopped(token)) return;
    const auto& spec = item->lease.spec;
    using Out = Result<std::pair<std::vector<schema::Part>, schema::Counters>>;
    const auto run = [&]() -> Out {
        const std::string rel = "parts/" + std::to_string(token.stream);
        auto dir = roots_.place({spec.output.root, work_path(spec) + "/" + rel});
        if (!dir) return dir.error();
        const std::string stem = std::to_string(token.seq) + "." + std::to_string(token.attempt) + "-" +
                                 std::to_string(token.nonce);
        const ChunkContext context{spec, item->lease.stream, item->lease.row};
        const std::span packets(static_cast<const std::uint8_t*>(item->packets.data()), item->packets.size());
        auto rendered = render_chunk(context, packets, item->before, item->stepped, *dir, rel, stem,
                                     [&] { return emit.stopped(token); });
        if (!rendered) return rendered.error();
        return std::pair{std::move(rendered->parts), std::move(rendered->counters)};
    };
    auto result = std::make_shared<Out>(Error{});
    try {
        *result = run();
    } catch (const std::exception& e) {
        *result = Error{Errc::internal, "rendering failed: " + std::string(e.what()), ""};
    }
    emit.to_bus([this, token, result] { home_.rendered(token, std::move(*result), *api_); });
}

}  // namespace sl::annotate
