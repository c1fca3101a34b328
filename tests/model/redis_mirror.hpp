// RedisMirror: puts transitions through the store of production and its Lua scripts, on a redis-server of the
// test's own. Each is committed by a leader; an old leader that sends the same batch is refused; a batch
// whose acknowledgement was lost is sent again and changes nothing.
#pragma once

#include "common/store/job_store.hpp"
#include "tests/model/world.hpp"
#include "tests/support/redis_server.hpp"

namespace sl::model {

class RedisMirror {
public:
    RedisMirror();

    // From `before`, the journal must lead to `after`; throws Violation when Redis sees it otherwise.
    void transition(const store::Records& before, const Journal& journal, const store::Records& after);
    std::size_t transitions() const { return transitions_; }
    std::size_t takeovers() const { return takeovers_; }

private:
    struct Leader {
        std::unique_ptr<store::JobStore> store;
        std::string name;
        std::uint64_t epoch = 0, number = 0;
    };
    void take_over();
    void move_to(const store::Records& records);
    void commit(store::Batch batch, const std::string& what);

    test::RedisServer server_;
    Leader leader_, old_;
    store::Records now_;
    store::LogId last_;
    std::size_t transitions_ = 0, takeovers_ = 0;
};

}  // namespace sl::model
