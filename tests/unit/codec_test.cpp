// The one place where bytes become records: what is refused, and that refusing costs nothing.
#include <gtest/gtest.h>

#include "common/bus/endpoint.hpp"
#include "common/bus/socket.hpp"
#include "schema/messages.hpp"

namespace sl {
namespace {

using schema::Bytes;

Bytes bytes(std::initializer_list<int> list) {
    Bytes b;
    for (const int v : list) b.push_back(std::uint8_t(v));
    return b;
}

std::vector<zmq::message_t> frames(std::initializer_list<std::string> list) {
    std::vector<zmq::message_t> out;
    for (const auto& s : list) out.emplace_back(s.data(), s.size());
    return out;
}

schema::Expect an_expect() {
    schema::Expect m;
    m.epoch = 7;
    m.n = 3;
    m.token = {"01JOB", "chunk", 1, 42, 2, 99};
    m.spec.job = "01JOB";
    m.spec.inputs = {{"media", "a/b.mp4"}};
    m.spec.pools = {{"detect/yolox_nano@1", 416, 416, "bgr", "top_left", 114, {"person", "bicycle"}}};
    m.stream.name = "a/b.mp4";
    m.stream.codec = bytes({1, 2, 3});
    m.row.prev_pts = INT64_MIN;
    return m;
}

TEST(Codec, GivesBackWhatWasPutIn) {
    const auto m = an_expect();
    const auto back = schema::decode<schema::Expect>(schema::encode(m), "expect");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->token, m.token);
    EXPECT_EQ(back->spec.inputs, m.spec.inputs);
    EXPECT_EQ(back->spec.pools[0].classes, m.spec.pools[0].classes);
    EXPECT_EQ(back->stream.codec, m.stream.codec);
    EXPECT_EQ(back->row.prev_pts, INT64_MIN);
}

TEST(Codec, EveryTruncationIsAnError) {
    const auto whole = schema::encode(an_expect());
    for (std::size_t n = 0; n < whole.size(); ++n)
        EXPECT_FALSE(schema::decode<schema::Expect>(std::span(whole).first(n), "expect")) << n << " bytes";
}

TEST(Codec, EveryFlippedByteIsDecodedOrRefused) {
    const auto whole = schema::encode(an_expect());
    for (std::size_t i = 0; i < whole.size(); ++i)
        for (const int flip : {0x01, 0x80, 0xff}) {
            auto b = whole;
            b[i] ^= std::uint8_t(flip);
            (void)schema::decode<schema::Expect>(b, "expect");  // must return, whatever it says
        }
}

TEST(Codec, RefusesForgedLengths) {
    // Five bytes that ask for half a gigabyte of elements, of pairs, of text.
    for (const int head : {0xdd, 0xdf, 0xdb, 0xc6}) {
        const auto r = schema::unpack(bytes({head, 0x1f, 0xff, 0xff, 0xff}), "x");
        ASSERT_FALSE(r);
        EXPECT_EQ(r.error().code, Errc::bad_message);
    }
}

TEST(Codec, RefusesDeepNestingTrailingBytesAndNonMaps) {
    EXPECT_FALSE(schema::unpack(Bytes(100'000, 0x91), "x"));
    EXPECT_FALSE(schema::unpack(bytes({0x80, 0x00}), "x"));
    EXPECT_FALSE(schema::unpack(bytes({0x90}), "x"));
    EXPECT_FALSE(schema::unpack({}, "x"));
    EXPECT_TRUE(schema::unpack(bytes({0x80}), "x"));
}

TEST(Codec, WrongTypesAreErrorsAndUnknownKeysAreNot) {
    EXPECT_FALSE(schema::decode<schema::Welcome>(bytes({0x81, 0xa5, 'e', 'p', 'o', 'c', 'h', 0xff}),
                                                 "welcome"));  // -1
    EXPECT_FALSE(schema::decode<schema::Welcome>(bytes({0x81, 0xa5, 'e', 'p', 'o', 'c', 'h', 0xc0}),
                                                 "welcome"));  // nil
    const auto ok = schema::decode<schema::Welcome>(bytes({0x81, 0xa3, 'n', 'e', 'w', 0x01}), "welcome");
    ASSERT_TRUE(ok);
    EXPECT_EQ(ok->epoch, 0u);
}

TEST(Envelope, SaysWhatIsWrongWithAMessage) {
    EXPECT_EQ(bus::Envelope::parse(frames({"SL1"})).error().code, Errc::bad_message);
    EXPECT_EQ(bus::Envelope::parse(frames({"SL9", "\x80"})).error().code, Errc::unsupported_version);
    EXPECT_EQ(bus::Envelope::parse(frames({"SL1", "\x80"})).error().code, Errc::bad_message);  // no type
    const auto e = bus::Envelope::parse(frames({"SL1",
                                                "\x81\xa4type\xa3"
                                                "bye",
                                                "payload"}));
    ASSERT_TRUE(e);
    EXPECT_EQ(e->type(), "bye");
    ASSERT_EQ(e->payload.size(), 1u);
    EXPECT_EQ(e->payload[0].to_string(), "payload");
}

TEST(Endpoint, TheOthersFollowFromTheJobsSocket) {
    const auto tcp = bus::broker_endpoints("tcp://host:5550");
    ASSERT_TRUE(tcp);
    EXPECT_EQ(tcp->workers, "tcp://host:5551");
    EXPECT_EQ(tcp->events, "tcp://host:5552");
    const auto ipc = bus::broker_endpoints("ipc:///run/x/broker");
    ASSERT_TRUE(ipc);
    EXPECT_EQ(ipc->workers, "ipc:///run/x/broker.workers");
    for (const char* bad : {"", "host:5550", "tcp://host", "tcp://host:0", "tcp://host:65535",
                            "tcp://host:55x", "udp://h:1", "ipc://"})
        EXPECT_FALSE(bus::broker_endpoints(bad)) << bad;
    EXPECT_FALSE(bus::broker_endpoints("ipc:///" + std::string(120, 'a')));
}

}  // namespace
}  // namespace sl
