// Downloads from a server that does what servers do, and worse.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <barrier>
#include <map>
#include <memory>

#include "host/core/error.h"
#include "host/data/download.h"
#include "host/data/sha256.h"
#include "host/files/model_state.h"
#include "tests/environment_variable.h"
#include "tests/file_size_limit.h"
#include "tests/idx_files.h"
#include "tests/loopback_server.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using testing::Connection;
using testing::EnvironmentVariable;
using testing::error_of;
using testing::gzipped;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LoopbackServer;
using testing::names_in;
using testing::ProgramResult;
using testing::read_file;
using testing::TemporaryDirectory;
using ::testing::UnorderedElementsAre;
using testing::write_file;

// A server's key and certificate, for 127.0.0.1 and for a day; it vouches for itself.
class Certificate {
 public:
  explicit Certificate(const std::filesystem::path& path) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> own(X509_new(), X509_free);
    X509_set_version(own.get(), 2);  // counted from 0
    X509_gmtime_adj(X509_getm_notBefore(own.get()), -86'400);
    X509_gmtime_adj(X509_getm_notAfter(own.get()), 86'400);
    X509_set_pubkey(own.get(), key.get());
    X509_NAME* const name = X509_get_subject_name(own.get());
    const auto* const text = reinterpret_cast<const unsigned char*>("Digitron's tests");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
    X509_set_issuer_name(own.get(), name);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> address(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1"),
        X509_EXTENSION_free);
    X509_add_ext(own.get(), address.get(), -1);
    X509_sign(own.get(), key.get(), EVP_sha256());
    SSL_CTX_use_certificate(context_.get(), own.get());
    SSL_CTX_use_PrivateKey(context_.get(), key.get());
    const std::unique_ptr<FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "w"),
                                                             std::fclose);
    PEM_write_X509(file.get(), own.get());
  }

  SSL_CTX* context() const { return context_.get(); }

 private:
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_server_method()),
                                                                   SSL_CTX_free};
};

std::string redirect(const std::string& url) {
  return "HTTP/1.0 302 Found\r\nLocation: " + url + "\r\nContent-Length: 0\r\n\r\n";
}

std::string found(const std::string& body, size_t promised) {
  return "HTTP/1.0 200 OK\r\nContent-Length: " + std::to_string(promised) + "\r\n\r\n" + body;
}
std::string found(const std::string& body) {
  return found(body, body.size());
}

class DownloadFromServer : public ::testing::Test {
 protected:
  void get(const LoopbackServer& server) {
    const std::vector<std::string> mirrors{server.url()};
    download_files(mirrors, files_, target_, limits_);
  }

  // The reason, after which nothing is left behind.
  std::string refusal_of(const LoopbackServer& server) {
    const std::string message = error_of<MachineError>([&] { get(server); });
    EXPECT_THAT(message, HasSubstr(server.url() + "/a.gz: "));
    EXPECT_FALSE(std::filesystem::exists(directory_ / "new"));
    return message;
  }
  std::string refusal_of(const std::string& bytes) {
    return refusal_of(
        LoopbackServer([&](const std::string&, const Connection& client) { client.send(bytes); }));
  }

  // As a server that serves.
  void serve(const std::string& path, const Connection& client) const {
    client.send(found(path == "/a.gz" ? a_gz_ : b_gz_));
  }

  const EnvironmentVariable no_proxy_{"no_proxy", "127.0.0.1"};
  const TemporaryDirectory directory_;
  const std::filesystem::path target_ = directory_ / "new" / "target";
  const std::string a_ = "aaa";
  const std::string b_ = std::string(100'000, 'b') + "!";
  const std::string a_gz_ = gzipped(a_);
  const std::string b_gz_ = gzipped(b_);
  const std::vector<KnownFile> files_{{"a", sha256_of(a_)}, {"b", sha256_of(b_)}};
  DownloadLimits limits_;

 private:
  static std::string sha256_of(const std::string& bytes) {
    return sha256_hex({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  }
};

TEST_F(DownloadFromServer, Served) {
  const LoopbackServer server(
      [&](const std::string& path, const Connection& client) { serve(path, client); });
  get(server);
  EXPECT_EQ(read_file(target_ / "a.gz"), a_gz_);
  EXPECT_EQ(read_file(target_ / "b.gz"), b_gz_);
  EXPECT_THAT(names_in(directory_ / "new"), UnorderedElementsAre("target"));
}

TEST_F(DownloadFromServer, WhatIsSentIsNotTheFile) {
  EXPECT_THAT(refusal_of(found(a_gz_.substr(0, 9), a_gz_.size())), HasSubstr("bytes remaining"));
  EXPECT_THAT(refusal_of(found(a_gz_.substr(0, 9))), HasSubstr("the .gz ends early"));
  EXPECT_THAT(refusal_of(found(a_gz_ + "more")), HasSubstr("goes on after the end of its .gz"));
  EXPECT_THAT(refusal_of("HTTP/1.0 200 OK\r\n\r\n" + a_gz_ + "more"), HasSubstr("goes on after"));
  EXPECT_THAT(refusal_of(found(gzipped("aab"))), HasSubstr("wrong SHA-256"));
  EXPECT_THAT(refusal_of(found("<html>please log in</html>")), HasSubstr("not a whole .gz"));
  EXPECT_THAT(refusal_of("HTTP/1.0 503 Service Unavailable\r\n\r\n"), HasSubstr("503"));
  EXPECT_THAT(refusal_of("\x1b[2J no HTTP\r\n\r\n"), HasSubstr("HTTP/0.9"));
  EXPECT_THAT(refusal_of(""), HasSubstr("Empty reply"));
}

TEST_F(DownloadFromServer, MoreThanAnyFileHas) {
  limits_.most_bytes = size_t{1} << 20;
  const std::string much(3 << 20, '\0');
  EXPECT_THAT(refusal_of(found(much)), HasSubstr("sends more than 1 MB"));
  EXPECT_THAT(refusal_of(found(gzipped(much))), HasSubstr("inflates to more than 1 MB"));
}

TEST_F(DownloadFromServer, Stalled) {
  limits_.stalled = std::chrono::seconds(1);
  const LoopbackServer server([&](const std::string&, const Connection& client) {
    client.send(found(a_gz_.substr(0, 9), a_gz_.size()));
    client.wait_until_the_client_goes();
  });
  EXPECT_THAT(refusal_of(server), HasSubstr("too slow"));
}

TEST_F(DownloadFromServer, SlowWithoutEnd) {
  limits_.whole = std::chrono::milliseconds(100);
  const LoopbackServer server([&](const std::string&, const Connection& client) {
    client.send(found("", size_t{1} << 40));
    while (client.send("\x1f")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  EXPECT_THAT(refusal_of(server), HasSubstr("timed out"));
}

TEST_F(DownloadFromServer, Redirected) {
  const LoopbackServer files(
      [&](const std::string& path, const Connection& client) { serve(path, client); });
  const LoopbackServer moved([&](const std::string& path, const Connection& client) {
    client.send(redirect(files.url() + path));
  });
  get(moved);
  EXPECT_EQ(read_file(target_ / "b.gz"), b_gz_);
}

TEST_F(DownloadFromServer, RedirectedForEverOrToAFileHere) {
  EXPECT_THAT(refusal_of(redirect("/a.gz")), HasSubstr("Maximum (5) redirects followed"));
  const std::string here = directory_ / "a.gz";
  write_file(here, a_gz_);
  EXPECT_THAT(refusal_of(redirect("file://" + here)), HasSubstr("\"file\" not supported"));
}

TEST_F(DownloadFromServer, RedirectedOutOfTls) {
  std::atomic<int> asked = 0;
  const LoopbackServer open([&](const std::string& path, const Connection& client) {
    ++asked;
    serve(path, client);
  });
  limits_.certificates = directory_ / "certificate.pem";
  const Certificate certificate(limits_.certificates);
  std::string to = open.url();
  const LoopbackServer closed(
      [&](const std::string& path, const Connection& client) { client.send(redirect(to + path)); },
      certificate.context());
  EXPECT_THAT(refusal_of(closed), HasSubstr("\"http\" not supported"));
  EXPECT_EQ(asked, 0);

  const LoopbackServer other(
      [&](const std::string& path, const Connection& client) { serve(path, client); },
      certificate.context());
  to = other.url();
  get(closed);
  EXPECT_EQ(read_file(target_ / "b.gz"), b_gz_);
}

TEST_F(DownloadFromServer, UnknownCertificate) {
  const Certificate certificate(directory_ / "certificate.pem");
  const LoopbackServer server(
      [&](const std::string& path, const Connection& client) { serve(path, client); },
      certificate.context());
  EXPECT_THAT(refusal_of(server), HasSubstr("certificate"));
}

TEST_F(DownloadFromServer, FullDisk) {
  const LoopbackServer server(
      [&](const std::string& path, const Connection& client) { serve(path, client); });
  {
    const testing::FileSizeLimit limit(a_gz_.size());
    EXPECT_THAT(error_of<MachineError>([&] { get(server); }), HasSubstr("free some space"));
  }
  EXPECT_THAT(names_in(directory_.path()), IsEmpty());
}

// Both have found no directory before either makes it.
TEST_F(DownloadFromServer, TwoAtOnce) {
  std::barrier both(2);
  const LoopbackServer server([&](const std::string& path, const Connection& client) {
    if (path == "/b.gz") both.arrive_and_wait();
    serve(path, client);
  });
  {
    const std::jthread other([&] { get(server); });
    get(server);
  }
  EXPECT_THAT(names_in(target_), UnorderedElementsAre("a.gz", "b.gz"));
  EXPECT_EQ(read_file(target_ / "b.gz"), b_gz_);
  EXPECT_THAT(names_in(directory_ / "new"), UnorderedElementsAre("target"));
}

TEST_F(DownloadFromServer, WhatAKilledOneLeftIsRemoved) {
  const LoopbackServer server(
      [&](const std::string& path, const Connection& client) { serve(path, client); });
  const std::filesystem::path old = target_.string() + ".1.2.tmp";
  const std::filesystem::path fresh = target_.string() + ".1.3.tmp";
  for (const auto& place : {old, fresh}) write_file(place / "a.gz", a_gz_);
  const auto now = std::filesystem::file_time_type::clock::now();
  std::filesystem::last_write_time(old, now - std::chrono::hours(2));
  std::filesystem::create_directory(target_);  // empty: as if it were not there
  get(server);
  EXPECT_THAT(names_in(directory_ / "new"),
              UnorderedElementsAre("target", fresh.filename().string()));
}

// The way of a user: nothing is here, and the mirror has something else. The test set alone is the
// sooner drawn.
TEST_F(DownloadFromServer, AProgramWithoutDataTellsOfItsMirror) {
  const LoopbackServer server([&](const std::string& path, const Connection& client) {
    client.send(found(path == "/mnist/train-images-idx3-ubyte.gz" ? a_gz_ : ""));
  });
  const EnvironmentVariable mirror("DIGITRON_MIRROR", server.url() + "/mnist");
  const EnvironmentVariable none("DIGITRON_DATA", "");
  const Plan plan = make_plan(find_model("fc 10"), 1);
  const std::filesystem::path empty = directory_ / "empty";  // nor is there a ../shared/mnist
  std::filesystem::create_directory(empty);
  write_file(empty / "model", safetensors_bytes(plan, initial_state(plan, 1), {}));
  const ProgramResult result =
      testing::run_shell("cd '" + empty.string() + "' && exec \"$0\" \"$@\"",
                         {"eval", "--checkpoint", "model", "--model", "fc 10", "--device", "cpu"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("MNIST was not downloaded: cannot download train-images"),
                                HasSubstr(server.url() + "/mnist/train-images-idx3-ubyte.gz: wrong "
                                                         "SHA-256"),
                                HasSubstr("synthetic digits, which are NOT MNIST")));
  EXPECT_THAT(names_in(empty), UnorderedElementsAre("model"));
}

}  // namespace
}  // namespace digitron
