// Crumb: what a worker is working on right now, in memory that outlives it (PROTOCOL.md rule 6).
//
// A page of shared memory: one writer, the worker's process; one reader, its supervisor, after the worker
// ended. The work thread writes the crumb before it touches an item's data and clears it after: whatever
// ends the process in between, the crumb says on what.
//
//   supervisor:  auto page = Crumb::make();                  // the worker inherits page->fd()
//   worker:      Crumb crumb = Crumb::open(fd);              // of --crumb-fd; -1: nobody looks, all are
//   no-ops
//                crumb.set_worker(id);                       // bus thread, before hello
//                crumb.write(token, stage, pieces); … crumb.clear();    // work thread, around each item
//                crumb.set_cause("stuck for 61 s"), _exit(exit_crashed);    // a death that counts as a crash
//   supervisor:  page->read()                                // once the process is gone
#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <string_view>

#include "schema/messages.hpp"

namespace sl::worker {

// Exit status of a worker that ends itself because of the item in its work thread (`die`).
inline constexpr int exit_crashed = 71;

class Crumb {
public:
    static constexpr std::size_t max_pieces = 16;

    Crumb() = default;  // all calls are no-ops
    // Maps the page of an inherited descriptor, which stays open for a program that executes itself anew.
    // A descriptor that is no such page: no-ops.
    static Crumb open(int fd);
    // A new, empty page, its descriptor not inherited unless the caller sees to it. io: the system has none.
    static Result<Crumb> make();
    ~Crumb();
    Crumb(Crumb&& other) noexcept;
    Crumb& operator=(Crumb&& other) noexcept;

    int fd() const { return fd_; }

    // No allocation, no system call; texts and pieces beyond the page's room are cut.
    void set_worker(std::string_view id);
    void set_cause(std::string_view why);  // may come from another thread than write and clear
    void write(const schema::Token& token, std::string_view stage, std::span<const schema::Piece> pieces);
    void clear();

    // What the page holds: worker, cause and, if it was at work, token, stage and pieces. Nothing: the
    // process never came to name itself. Only true once the writer is gone.
    std::optional<schema::Exited> read() const;
    void wipe();  // for the next process

private:
    struct Page;
    Crumb(Page* page, int fd, bool owner) : page_(page), fd_(fd), owner_(owner) {}

    Page* page_ = nullptr;
    int fd_ = -1;
    bool owner_ = false;  // closes fd_
};

}  // namespace sl::worker
