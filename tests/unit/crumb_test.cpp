// The crumb of a worker, read by another process after the worker ended.
#include "common/worker/crumb.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sl::worker {
namespace {

const schema::Token token{"01HX3W5T9Q2Z8Y6V4B7N1M0KJC", "chunk", 2, 17, 3, 0xdeadbeefcafe};

// Runs `body` in a child with the page's descriptor; how the child ended.
template <typename F>
int in_child(const Crumb& page, F&& body) {
    const int pid = fork();
    if (pid == 0) {
        Crumb crumb = Crumb::open(page.fd());
        crumb.set_worker("01HX3W5T9Q2Z8Y6V4B7N1M0KW1");
        body(crumb);
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
}

TEST(Crumb, SaysWhatAKilledWorkerWorkedOn) {
    auto page = Crumb::make();
    ASSERT_TRUE(page) << page.error().message;
    const std::vector<schema::Piece> pieces{{-1, 0}, {0, 3}};
    const int status = in_child(*page, [&](Crumb& crumb) {
        crumb.write(token, "preprocess", pieces);
        raise(SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    const auto read = page->read();
    ASSERT_TRUE(read);
    EXPECT_EQ(read->worker, "01HX3W5T9Q2Z8Y6V4B7N1M0KW1");
    EXPECT_EQ(read->token, token);
    EXPECT_EQ(read->stage, "preprocess");
    EXPECT_EQ(read->pieces, pieces);
    EXPECT_EQ(read->cause, "");
}

TEST(Crumb, AnIdleWorkerLeavesItsNameAlone) {
    auto page = Crumb::make();
    ASSERT_TRUE(page);
    in_child(*page, [&](Crumb& crumb) {
        crumb.write(token, "detect", {});
        crumb.clear();
        crumb.set_cause("stuck for 61 s");
    });
    const auto read = page->read();
    ASSERT_TRUE(read);
    EXPECT_EQ(read->worker, "01HX3W5T9Q2Z8Y6V4B7N1M0KW1");
    EXPECT_EQ(read->cause, "stuck for 61 s");
    EXPECT_EQ(read->token, schema::Token{});
    EXPECT_TRUE(read->pieces.empty());
}

TEST(Crumb, APageThatWasNeverWrittenOrWasWipedHoldsNothing) {
    auto page = Crumb::make();
    ASSERT_TRUE(page);
    EXPECT_FALSE(page->read());
    in_child(*page, [&](Crumb& crumb) { crumb.write(token, "detect", {}); });
    ASSERT_TRUE(page->read());
    page->wipe();
    EXPECT_FALSE(page->read());
}

TEST(Crumb, WhatIsTooLongIsCut) {
    auto page = Crumb::make();
    ASSERT_TRUE(page);
    Crumb crumb = Crumb::open(page->fd());
    crumb.set_worker(std::string(1000, 'w'));
    crumb.set_cause(std::string(5000, 'c'));
    schema::Token lying = token;
    lying.job = std::string(500, 'j');
    crumb.write(lying, std::string(100, 's'), std::vector<schema::Piece>(100, schema::Piece{1, 2}));
    const auto read = page->read();
    ASSERT_TRUE(read);
    EXPECT_EQ(read->worker, std::string(63, 'w'));
    EXPECT_EQ(read->cause, std::string(255, 'c'));
    EXPECT_EQ(read->token.job, std::string(63, 'j'));
    EXPECT_EQ(read->token.nonce, token.nonce);
    EXPECT_EQ(read->pieces.size(), Crumb::max_pieces);
}

TEST(Crumb, WithoutAPageNothingHappens) {
    Crumb none = Crumb::open(-1);
    none.set_worker("w"), none.write(token, "detect", {}), none.clear(), none.set_cause("c");
    EXPECT_FALSE(none.read());
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    Crumb wrong = Crumb::open(pipes[0]);  // a descriptor that is no page
    wrong.set_worker("w");
    EXPECT_FALSE(wrong.read());
    close(pipes[0]), close(pipes[1]);
}

}  // namespace
}  // namespace sl::worker
