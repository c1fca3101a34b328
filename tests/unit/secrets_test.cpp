#include "common/secrets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/log.hpp"

namespace sl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SecretsTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        log::setup({"trace", false, "test"});
    }  // to stderr, where it is looked at
    SecretsTest() { ::mkdtemp(folder_.data()); }
    ~SecretsTest() override {
        std::filesystem::remove_all(folder_);
        ::unsetenv("SIGHTLINE_SECRET_YARD_CAM");
    }
    std::string file(const std::string& text, mode_t mode = 0600) const {
        const std::string path = folder_ + "/secrets.yaml";
        std::ofstream(path) << text;
        ::chmod(path.c_str(), mode);
        return path;
    }
    std::string folder_ = "/tmp/sl-secrets-XXXXXX";
};

TEST_F(SecretsTest, EnvironmentGoesBeforeTheFile) {
    const Secrets secrets(
        file("yard-cam: {user: viewer, password: from file}\ngate: {user: g, password: 007}\n"));
    auto found = secrets.find("yard-cam");
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(found->user, "viewer");
    EXPECT_EQ(found->password, "from file");
    EXPECT_EQ(secrets.find("gate")->password, "007");
    ::setenv("SIGHTLINE_SECRET_YARD_CAM", "admin:a:b", 1);
    found = secrets.find("yard-cam");
    EXPECT_EQ(found->user, "admin");
    EXPECT_EQ(found->password, "a:b");
}

TEST_F(SecretsTest, AChangedFileCountsAtOnce) {
    const Secrets secrets(file("a: {user: u, password: one}\n"));
    EXPECT_EQ(secrets.find("a")->password, "one");
    file("a: {user: u, password: two}\n");
    EXPECT_EQ(secrets.find("a")->password, "two");
}

TEST_F(SecretsTest, ErrorsSayWhereAndNeverWhat) {
    const auto code = [](const Result<Secret>& r) { return r ? Errc::internal : r.error().code; };
    auto r = Secrets("").find("yard");
    EXPECT_EQ(code(r), Errc::not_found);
    EXPECT_THAT(r.error().text(), HasSubstr("SIGHTLINE_SECRET_YARD"));
    r = Secrets(folder_ + "/none.yaml").find("yard");
    EXPECT_EQ(code(r), Errc::not_found);
    EXPECT_THAT(r.error().text(), HasSubstr("none.yaml"));
    for (const char* text :
         {"a: hidden\n", "a: {user: '', password: hidden}\n", "a: [hidden\n", "a: \"hidden\n"}) {
        r = Secrets(file(text)).find("a");
        EXPECT_EQ(code(r), Errc::invalid_argument) << text;
        EXPECT_THAT(r.error().text(), HasSubstr("secrets.yaml"));
        EXPECT_THAT(r.error().text(), Not(HasSubstr("hidden")));
    }
    for (const char* text : {"hidden\n", "[hidden]\n", "b: {user: hidden}\n", ""}) {
        r = Secrets(file(text)).find("a");
        EXPECT_EQ(code(r), Errc::not_found) << text;
        EXPECT_THAT(r.error().text(), Not(HasSubstr("hidden")));
    }
    ::setenv("SIGHTLINE_SECRET_YARD_CAM", "hidden", 1);
    r = Secrets("").find("yard-cam");
    EXPECT_EQ(code(r), Errc::invalid_argument);
    EXPECT_THAT(r.error().text(), Not(HasSubstr("hidden")));
}

TEST_F(SecretsTest, AFileThatOthersMayReadIsToldOnce) {
    const auto warnings = [](const Secrets& secrets) {
        ::testing::internal::CaptureStderr();
        EXPECT_TRUE(secrets.find("a"));
        EXPECT_TRUE(secrets.find("a"));
        const std::string told = ::testing::internal::GetCapturedStderr();
        EXPECT_THAT(told, Not(HasSubstr("hidden")));
        int count = 0;
        for (std::size_t at = 0; (at = told.find("secrets_exposed", at)) != std::string::npos; ++at) ++count;
        return count;
    };
    const std::string text = "a: {user: u, password: hidden}\n";
    EXPECT_EQ(warnings(Secrets(file(text, 0644))), 1);
    EXPECT_EQ(warnings(Secrets(file(text, 0640))), 1);
    EXPECT_EQ(warnings(Secrets(file(text, 0600))), 0);
}

TEST(Redaction, LeavesNoFormOfThePassword) {
    const Secret secret{"admin", "p@ss/w:rd"};
    EXPECT_EQ(with_credentials("rtsp://host:554/a", secret), "rtsp://admin:p%40ss%2Fw%3Ard@host:554/a");
    EXPECT_EQ(with_credentials("rtsp://host/a", {}), "rtsp://host/a");
    // printf 'admin:p@ss/w:rd' | base64, and of the password alone
    const std::string said =
        "401 for rtsp://admin:p%40ss%2Fw%3Ard@host/a, Basic YWRtaW46cEBzcy93OnJk, cEBzcy93OnJk, p@ss/w:rd.";
    EXPECT_EQ(redacted(said, secret), "401 for rtsp://host/a, Basic ***, ***, ***.");
    EXPECT_EQ(redacted("nothing", {}), "nothing");
}

TEST(Redaction, CredentialsInUrls) {
    EXPECT_EQ(without_credentials("http://u:p@h/x and rtsp://a@b:1/c"), "http://h/x and rtsp://b:1/c");
    EXPECT_EQ(without_credentials("rtsp://u:p@ss@h/x"), "rtsp://h/x");
    for (const char* url : {"rtsp://h:1/a@b", "file:///srv/a@b.mp4", "/srv/a@b", "http://h?to=a@b", "a@b"}) {
        EXPECT_FALSE(has_credentials(url));
        EXPECT_EQ(without_credentials(url), url);
    }
    EXPECT_TRUE(has_credentials("rtsps://u@h"));
}

}  // namespace
}  // namespace sl
