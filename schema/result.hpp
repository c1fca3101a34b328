// Result<T>: a value, or an Error that the caller must look at.
//
// Functions whose failure is part of their job (files, peers, messages, stores) return Result; exceptions
// are for broken promises and are caught once, at each thread's boundary. g++ 12 has no std::expected.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace sl {

// Few codes, each with its own reaction. Written on the wire and in JSON by name (see code_name).
enum class Errc {
    invalid_argument,     // the request is wrong: tell the caller, never retry
    not_found,            // a named thing does not exist
    conflict,             // it exists already, or is in a state that forbids this
    bad_message,          // bytes that are no message of ours: drop, count, tell the peer
    unsupported_version,  // a peer of another protocol: tell the operator
    bad_media,            // the input cannot be decoded: fail the job, no retry
    stale,                // the token is no longer current: let the unit go
    canceled,             // the job was canceled
    io,                   // disk or file system: retry elsewhere may help
    unavailable,          // a server or peer is away: retry with back-off
    timeout,
    internal,  // a bug or an exception at a thread boundary
};

std::string_view code_name(Errc code);
Errc code_from_name(std::string_view name);  // unknown names read as internal

// `message` is one sentence: what was being attempted, on what, why it failed; `hint` what to do about it.
struct Error {
    Errc code = Errc::internal;
    std::string message;
    std::string hint;

    std::string text() const { return hint.empty() ? message : message + "; " + hint; }
};

template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : v_(std::move(value)) {}
    Result(Error error) : v_(std::move(error)) {}

    explicit operator bool() const { return v_.index() == 0; }
    T& operator*() { return std::get<0>(v_); }
    const T& operator*() const { return std::get<0>(v_); }
    T* operator->() { return &std::get<0>(v_); }
    const T* operator->() const { return &std::get<0>(v_); }
    Error& error() { return std::get<1>(v_); }
    const Error& error() const { return std::get<1>(v_); }

private:
    std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : e_(std::move(error)), ok_(false) {}

    explicit operator bool() const { return ok_; }
    Error& error() { return e_; }
    const Error& error() const { return e_; }

private:
    Error e_;
    bool ok_ = true;
};

}  // namespace sl
