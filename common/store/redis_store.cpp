// The job store of a fleet: schema/redis/KEYS.md says the keys, the scripts beside it do the transitions.
#include <array>
#include <charconv>
#include <deque>
#include <random>

#include "common/store/batch.hpp"
#include "common/store/embedded.hpp"
#include "common/store/log_page.hpp"
#include "common/store/redis_link.hpp"

namespace sl::store {
namespace {

using Args = std::vector<std::string_view>;

constexpr std::string_view keys_version = "1";  // of schema/redis/KEYS.md
constexpr std::size_t load_batch = 256;         // records asked for in one round trip
constexpr std::size_t group = 1000;             // fields of one record written by one command
constexpr std::size_t read_batch = 64;          // entries of the log asked for in one round trip
constexpr std::size_t read_pages = 4;           // the same, once a page was among them
// A batch with more log entries writes them as one page, after the first: Redis spends more on a stream's
// entry than on a thousand bytes.
constexpr std::size_t single_entries = 64;

std::uint64_t number(const redisReply& reply) {
    if (reply.type == REDIS_REPLY_INTEGER) return std::uint64_t(reply.integer);
    std::uint64_t value = 0;
    if (reply.type == REDIS_REPLY_STRING) std::from_chars(reply.str, reply.str + reply.len, value);
    return value;
}

std::span<redisReply* const> elements(const redisReply& reply) {
    return reply.type == REDIS_REPLY_ARRAY ? std::span(reply.element, reply.elements)
                                           : std::span<redisReply* const>();
}

// A script of schema/redis. It is known to Redis by its digest, and sent whole when Redis forgot it.
struct Script {
    std::string_view text;
    std::string digest;
};

class RedisStore final : public JobStore {
public:
    RedisStore(RedisAddress address, const RedisOptions& options)
        : link_(std::move(address), options.timeout_ms), prefix_("sl:{" + options.fleet + "}:") {
        std::random_device random;
        run_ = "#" + std::to_string((std::uint64_t(random()) << 32) | random());
        for (const Embedded& file : redis_scripts()) scripts_[std::string(file.name)].text = file.text;
    }

    Result<Lead> lead(const std::string& broker, std::int64_t ttl_ms) override {
        const std::string holder = broker + run_, ttl = std::to_string(ttl_ms);
        const auto reply = call("lead.lua", {lead_key_}, {broker, holder, ttl}, "cannot ask for the lead");
        if (!reply) return reply.error();
        const auto parts = elements(**reply);
        if (parts.size() != 3) return odd("the lead");
        return Lead{number(*parts[0]) == 1, number(*parts[1]), std::string(text(*parts[2]))};
    }

    Result<void> resign(const std::string& broker) override {
        const std::string holder = broker + run_;
        const auto reply = call("resign.lua", {lead_key_}, {holder}, "cannot resign");
        if (!reply) return reply.error();
        return {};
    }

    Result<void> commit(const Batch& batch) override {
        if (auto ok = check(batch); !ok) return ok;
        std::deque<std::string> numbers;  // the views of them stay valid
        const auto text_of = [&](std::string s) -> std::string_view {
            return numbers.emplace_back(std::move(s));
        };
        const auto single =
            std::span(batch.log).first(batch.log.size() > single_entries ? 1 : batch.log.size());
        const std::string page = pack_page(std::span(batch.log).subspan(single.size()));
        Args args{text_of(std::to_string(batch.epoch)), text_of(std::to_string(batch.number)), record_prefix_,
                  text_of(std::to_string(single.size()))};
        args.reserve(args.size() + 7 * single.size() + 3 + 3 * batch.writes.size());
        for (const LogEntry& entry : single)
            args.insert(args.end(),
                        {text_of(entry.id.text()), entry.topic, entry.kind, entry.job,
                         text_of(std::to_string(entry.time_ns)), entry.audit ? "1" : "0", entry.body});
        if (!page.empty()) args.insert(args.end(), {"p", text_of(batch.log.back().id.text()), page});
        for (auto w = batch.writes.begin(); w != batch.writes.end();) {
            auto end = w;  // of the writes of one kind to one record
            while (end != batch.writes.end() && end->kind == w->kind && end->record == w->record &&
                   std::size_t(end - w) < group)
                ++end;
            if (w->kind == Write::Kind::erase_record) {
                args.insert(args.end(), {"r", w->record});
            } else {
                const bool sets = w->kind == Write::Kind::set;
                args.insert(args.end(), {sets ? "s" : "f", w->record, text_of(std::to_string(end - w))});
                for (auto at = w; at != end; ++at) {
                    args.push_back(at->field);
                    if (sets) args.push_back(at->value);
                }
            }
            w = end;
        }
        const auto reply = call("commit.lua", {lead_key_, records_key_, log_key_}, args,
                                "cannot commit batch " + numbers[1] + " of epoch " + numbers[0]);
        if (!reply) {
            const bool id_refused =
                reply.error().message.find("equal or smaller than the target") != std::string::npos;
            return id_refused ? old_log_id(batch) : reply.error();
        }
        const auto parts = elements(**reply);
        if (parts.empty()) return odd("a commit");
        if (text(*parts[0]) == "ok") return {};
        if (parts.size() != 2) return odd("a commit");
        const std::string detail(text(*parts[1]));
        return text(*parts[0]) == "gap" ? lost_batches(batch, detail) : stale_epoch(batch, detail);
    }

    Result<Records> load() override {
        const std::string what = "cannot load the records";
        if (auto ok = ready(); !ok) return ok.error();
        const auto names = link_.ask(Args{"SMEMBERS", records_key_}, what);
        if (!names) return names.error();
        const auto all = elements(**names);
        Records out;
        for (std::size_t begin = 0; begin < all.size(); begin += load_batch) {
            const auto some = all.subspan(begin, std::min(load_batch, all.size() - begin));
            for (const redisReply* name : some) {
                const std::string key = record_prefix_ + std::string(text(*name));
                link_.send(Args{"HGETALL", key});
            }
            for (const redisReply* name : some) {
                const auto reply = link_.read(what);
                if (!reply) return reply.error();
                const auto pairs = elements(**reply);
                auto& record = out[std::string(text(*name))];
                for (std::size_t i = 0; i + 1 < pairs.size(); i += 2)
                    record.emplace(text(*pairs[i]), text(*pairs[i + 1]));
            }
        }
        return out;
    }

    Result<std::vector<LogEntry>> read_log(LogId after, std::size_t limit) override {
        const std::string what = "cannot read the log";
        std::size_t asked = read_pages;
        if (auto ok = ready(); !ok) return ok.error();
        std::vector<LogEntry> out;
        const auto trimmed = link_.ask(Args{"GET", trimmed_key_}, what);
        if (!trimmed) return trimmed.error();
        if ((*trimmed)->type == REDIS_REPLY_STRING) {  // a page is forgotten with its last entry
            const auto id = parse_log_id(std::string(text(**trimmed)));
            if (!id) return odd("the log");
            after = std::max(after, *id);
        }
        while (out.size() < limit) {
            const std::string from = "(" + after.text(), count = std::to_string(asked);
            const auto reply = link_.ask(Args{"XRANGE", log_key_, from, "+", "COUNT", count}, what);
            if (!reply) return reply.error();
            const auto before = out.size();
            for (const redisReply* row : elements(**reply)) {
                const auto parts = elements(*row);
                if (parts.size() != 2) return odd("a log entry");
                if (auto ok = log_entries(*parts[0], elements(*parts[1]), after, out); !ok) return ok.error();
            }
            const auto rows = (*reply)->elements;
            if (rows < asked) break;
            after = out.back().id;
            asked = out.size() - before == rows ? read_batch : read_pages;
        }
        if (out.size() > limit) out.resize(limit);
        return out;
    }

    Result<void> trim_log(LogId upto) override {
        const std::string epoch = std::to_string(upto.epoch), n = std::to_string(upto.n),
                          next = std::to_string(upto.n + 1);
        const auto reply =
            call("trim.lua", {log_key_, trimmed_key_}, {epoch, n, next}, "cannot trim the log");
        if (!reply) return reply.error();
        return {};
    }

private:
    // Connected, of our version of the keys, scripts loaded.
    Result<void> ready() {
        if (link_.is_open()) return {};
        if (auto ok = link_.open(); !ok) return ok;
        const std::string what = "cannot prepare Redis";
        link_.send(Args{"GET", version_key_});
        for (const auto& [name, script] : scripts_) link_.send(Args{"SCRIPT", "LOAD", script.text});
        auto version = link_.read(what);
        if (!version) return version.error();
        for (auto& [name, script] : scripts_) {
            const auto digest = link_.read(what);
            if (!digest) return digest.error();
            script.digest = text(**digest);
        }
        if ((*version)->type == REDIS_REPLY_NIL) {
            const auto set = link_.ask(Args{"SET", version_key_, keys_version, "NX"}, what);
            if (!set) return set.error();
            version = link_.ask(Args{"GET", version_key_}, what);
            if (!version) return version.error();
        }
        if ((*version)->type == REDIS_REPLY_STRING && text(**version) == keys_version) return {};
        link_.close();
        return Error{Errc::unsupported_version,
                     "cannot use the fleet's keys " + prefix_ + "* in Redis: " + version_key_ + " is not " +
                         std::string(keys_version),
                     "another version of the program made them: use that one, or another fleet name"};
    }

    Result<Reply> call(const char* name, std::initializer_list<std::string_view> keys,
                       std::span<const std::string_view> args, const std::string& what) {
        if (auto ok = ready(); !ok) return Error{ok.error()};
        const Script& script = scripts_.at(name);
        const std::string key_count = std::to_string(keys.size());
        Args command{"EVALSHA", script.digest, key_count};
        command.insert(command.end(), keys);
        command.insert(command.end(), args.begin(), args.end());
        link_.send(command);
        auto reply = link_.read_any(what);
        if (!reply || (*reply)->type != REDIS_REPLY_ERROR) return reply;
        if (!text(**reply).starts_with("NOSCRIPT")) return link_.refused(**reply, what);
        command[0] = "EVAL";  // somebody flushed the scripts; this loads it again
        command[1] = script.text;
        return link_.ask(command, what);
    }
    Result<Reply> call(const char* name, std::initializer_list<std::string_view> keys,
                       std::initializer_list<std::string_view> args, const std::string& what) {
        return call(name, keys, std::span(args.begin(), args.size()), what);
    }

    // Appends the entries of one entry of the stream, a page or a single one, that come after `after`.
    static Result<void> log_entries(const redisReply& id, std::span<redisReply* const> fields, LogId after,
                                    std::vector<LogEntry>& out) {
        if (fields.size() == 2 && text(*fields[0]) == "page")
            return unpack_page(text(*fields[1]), after, out);
        auto parsed = parse_log_id(std::string(text(id)));
        if (!parsed) return parsed.error();
        LogEntry entry;
        entry.id = *parsed;
        for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
            const std::string_view field = text(*fields[i]), value = text(*fields[i + 1]);
            if (field == "topic") entry.topic = value;
            if (field == "kind") entry.kind = value;
            if (field == "job") entry.job = value;
            if (field == "body") entry.body = value;
            if (field == "audit") entry.audit = value == "1";
            if (field == "time_ns") std::from_chars(value.data(), value.data() + value.size(), entry.time_ns);
        }
        out.push_back(std::move(entry));
        return {};
    }

    static Error odd(const char* about) {
        return {Errc::internal, std::string("cannot read Redis' answer about ") + about,
                "is this key somebody else's?"};
    }

    RedisLink link_;
    std::string run_;  // tells a restarted broker of the same name from its former life
    std::string prefix_;
    std::string version_key_ = prefix_ + "version", lead_key_ = prefix_ + "lead", log_key_ = prefix_ + "log",
                trimmed_key_ = prefix_ + "trimmed", records_key_ = prefix_ + "records",
                record_prefix_ = prefix_ + "record:";
    std::map<std::string, Script> scripts_;
};

}  // namespace

Result<std::unique_ptr<JobStore>> redis_store(const RedisOptions& options) {
    auto address = parse_redis_url(options.url);
    if (!address) return address.error();
    if (options.fleet.empty() || options.fleet.find_first_of("{}") != std::string::npos)
        return Error{Errc::invalid_argument,
                     "cannot use '" + options.fleet + "' as a fleet name: it is empty or has braces",
                     "use letters, digits, '-' and '_'"};
    if (options.timeout_ms <= 0)
        return Error{Errc::invalid_argument,
                     "cannot use a Redis timeout of " + std::to_string(options.timeout_ms) + " ms",
                     "2000 is the default"};
    return std::unique_ptr<JobStore>(std::make_unique<RedisStore>(std::move(*address), options));
}

}  // namespace sl::store
