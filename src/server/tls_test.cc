// HTTPS with certificates that the tests make: what is taken, what is refused and how, and what a certificate that
// changes does to whom.
#include "server/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "server/http.h"
#include "server/testing/raw_client.h"

namespace herd::server {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

template <auto release>
struct Release {
  void operator()(auto* pointer) const { release(pointer); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<::EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Release<::X509_free>>;

// A directory with a certificate for "localhost" that signs itself, and its key.
class Pair {
 public:
  explicit Pair(std::int64_t serial) {
    std::string name = (fs::temp_directory_path() / "herd_tls_XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    write(serial);
  }
  Pair(const Pair&) = delete;
  ~Pair() { fs::remove_all(directory_); }

  // Another certificate and key in the same files.
  void write(std::int64_t serial) {
    const KeyPtr key(::EVP_EC_gen("P-256"));
    const CertificatePtr made(::X509_new());
    ::X509_set_version(made.get(), X509_VERSION_3);
    ::ASN1_INTEGER_set_int64(::X509_get_serialNumber(made.get()), serial);
    ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), 0);
    ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), 3600);
    X509_NAME* name = ::X509_get_subject_name(made.get());
    const unsigned char host[] = "localhost";
    ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host, -1, -1, 0);
    ::X509_set_issuer_name(made.get(), name);
    ::X509_set_pubkey(made.get(), key.get());
    EXPECT_GT(::X509_sign(made.get(), key.get(), ::EVP_sha256()), 0);
    std::FILE* out = std::fopen(certificate().c_str(), "we");
    ::PEM_write_X509(out, made.get());
    std::fclose(out);
    out = std::fopen(this->key().c_str(), "we");
    ::PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    fs::permissions(this->key(), fs::perms::owner_read | fs::perms::owner_write);
  }

  [[nodiscard]] std::string certificate() const { return directory_ / "certificate.pem"; }
  [[nodiscard]] std::string key() const { return directory_ / "key.pem"; }
  [[nodiscard]] const fs::path& directory() const { return directory_; }

 private:
  fs::path directory_;
};

// Answers with the length of the body; "/slow" never, "/stream" with a stream of a megabyte.
class Lengths final : public HttpHandler {
 public:
  std::optional<HttpResponse> admit(HttpRequest&, std::uint64_t& body_bytes_max) override {
    body_bytes_max = 1 << 20;
    return std::nullopt;
  }
  // The exchange is shared with its connection.
  void handle(std::shared_ptr<Exchange> exchange) override {
    exchange->post([exchange, this] {
      const HttpRequest& request = exchange->request();
      if (request.path == "/slow") return exchange->on_gone([this] { ++gone; });
      if (request.path != "/stream")
        return exchange->respond({.body = std::to_string(request.body.size())});
      exchange->begin_stream({}, "");
      for (int i = 0; i < 100; ++i) exchange->write(std::string(9000, 'x'));
      exchange->end_stream();
    });
  }
  HttpResponse refusal(const HttpRequest&, int status, std::string_view, std::string) override {
    return {.status = status};
  }
  std::atomic<int> gone = 0;
};

// A client over TLS, by OpenSSL alone.
class TlsClient {
 public:
  TlsClient(std::uint16_t port, int version_max = 0)
      : context_(::SSL_CTX_new(::TLS_client_method())), raw_(port) {
    if (version_max != 0) ::SSL_CTX_set_max_proto_version(context_.get(), version_max);
    ::SSL_CTX_set_security_level(context_.get(), 0);  // old versions may be tried
    ssl_.reset(::SSL_new(context_.get()));
    ::SSL_set_fd(ssl_.get(), raw_.descriptor());
    connected_ = ::SSL_connect(ssl_.get()) == 1;
  }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int version() const { return ::SSL_version(ssl_.get()); }
  [[nodiscard]] std::int64_t serial() const {
    const CertificatePtr peer(::SSL_get1_peer_certificate(ssl_.get()));
    std::int64_t serial = 0;
    ::ASN1_INTEGER_get_int64(&serial, ::X509_get_serialNumber(peer.get()));
    return serial;
  }
  void send(std::string_view bytes) const {
    EXPECT_GT(::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())), 0);
  }
  // Everything until the other end says that it is over; `ended` when it said so, and was not just gone.
  std::string read_all(bool& ended) const {
    std::string out;
    char bytes[16 * 1024];
    int n = 0;
    while ((n = ::SSL_read(ssl_.get(), bytes, sizeof(bytes))) > 0)
      out.append(bytes, static_cast<std::size_t>(n));
    ended = ::SSL_get_error(ssl_.get(), n) == SSL_ERROR_ZERO_RETURN;
    return out;
  }
  std::string ask(std::string_view path, std::string_view body = "") const {
    send(fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", path,
                     body.size(), body));
    std::string out;
    char bytes[4096];
    int n = 0;
    // Head and body are records of their own.
    while ((out.empty() || out.ends_with("\r\n\r\n")) &&
           (n = ::SSL_read(ssl_.get(), bytes, sizeof(bytes))) > 0)
      out.append(bytes, static_cast<std::size_t>(n));
    return out;
  }
  void close() { raw_.close(); }

 private:
  std::unique_ptr<SSL_CTX, Release<::SSL_CTX_free>> context_;
  RawClient raw_;
  std::unique_ptr<SSL, Release<::SSL_free>> ssl_;
  bool connected_ = false;
};

class Tls : public testing::Test {
 protected:
  void start(HttpOptions options = {}) {
    options.port = 0;
    options.tls_certificate = pair_.certificate();
    options.tls_key = pair_.key();
    server_ = std::move(HttpServer::start(options, handler_).value());
  }
  bool empty_within(milliseconds time) {
    for (; time.count() > 0; time -= milliseconds(5)) {
      if (server_->state().connections == 0) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }

  Pair pair_{1};
  Lengths handler_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Tls, AnswersRequestsAndStreams) {
  start();
  {
    const TlsClient client(server_->port());
    ASSERT_TRUE(client.connected());
    EXPECT_EQ(client.version(), TLS1_3_VERSION);
    EXPECT_THAT(client.ask("/a", std::string(100'000, 'b')), testing::EndsWith("\r\n\r\n100000"));
    EXPECT_THAT(client.ask("/b", "cc"), testing::EndsWith("\r\n\r\n2")) << "the same connection";
    client.send("GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    bool ended = false;
    const std::string all = client.read_all(ended);
    EXPECT_EQ(std::ranges::count(all.substr(all.find("\r\n\r\n")), 'x'), 900'000);
    EXPECT_TRUE(ended) << "the end was said";
  }
  EXPECT_TRUE(empty_within(milliseconds(4000)));
}

TEST_F(Tls, WantsATlsThatIsNotOutdated) {
  start();
  EXPECT_TRUE(TlsClient(server_->port(), TLS1_2_VERSION).connected());
  EXPECT_FALSE(TlsClient(server_->port(), TLS1_1_VERSION).connected());
  RawClient plain(server_->port());
  plain.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(plain.closed(3000));
  EXPECT_TRUE(empty_within(milliseconds(4000)));
}

TEST_F(Tls, EndsHandshakesThatDoNotEndAndNoticesWhoLeaves) {
  start({.head_timeout = milliseconds(100), .tick = milliseconds(10)});
  RawClient silent(server_->port());
  RawClient half(server_->port());
  half.send({"\x16\x03\x01\x00", 4});
  EXPECT_TRUE(silent.closed(3000));
  EXPECT_TRUE(half.closed(3000));
  EXPECT_EQ(server_->state().timeouts, 2u);
  TlsClient leaves(server_->port());
  leaves.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int i = 0; i < 400 && server_->state().active == 0; ++i)
    std::this_thread::sleep_for(milliseconds(5));
  leaves.close();
  for (int i = 0; i < 400 && handler_.gone == 0; ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(handler_.gone, 1);
  EXPECT_TRUE(empty_within(milliseconds(4000)));
}

TEST_F(Tls, TakesANewCertificateWithoutDisturbingAnybody) {
  start();
  const TlsClient old(server_->port());
  EXPECT_EQ(old.serial(), 1);
  pair_.write(2);
  ASSERT_TRUE(server_->reload_tls().has_value());
  EXPECT_EQ(TlsClient(server_->port()).serial(), 2);
  EXPECT_THAT(old.ask("/a", "b"), testing::EndsWith("1"));
  // One that is no good changes nothing.
  std::ofstream(pair_.certificate()) << "nonsense";
  EXPECT_FALSE(server_->reload_tls().has_value());
  EXPECT_EQ(TlsClient(server_->port()).serial(), 2);
}

TEST_F(Tls, NamesWhatIsWrongWithItsFiles) {
  const auto error = [&](const fs::path& certificate, const fs::path& key) {
    const auto loaded = load_tls(certificate, key);
    EXPECT_FALSE(loaded.has_value());
    return loaded ? Error{} : loaded.error();
  };
  EXPECT_TRUE(load_tls(pair_.certificate(), pair_.key()).has_value());
  EXPECT_EQ(error("/nowhere.pem", pair_.key()).code, Code::missing_input);
  EXPECT_EQ(error(pair_.certificate(), pair_.directory()).code, Code::missing_input);
  const Error swapped = error(pair_.key(), pair_.key());
  EXPECT_EQ(swapped.code, Code::bad_header);
  EXPECT_THAT(swapped.message, HasSubstr("--tls-cert"));
  const Pair other(3);
  const Error foreign = error(pair_.certificate(), other.key());
  EXPECT_EQ(foreign.code, Code::bad_header);
  EXPECT_THAT(foreign.message, HasSubstr("does not belong to the certificate"));
  const fs::path nonsense = pair_.directory() / "nonsense.pem";
  std::ofstream(nonsense) << "nonsense";
  fs::permissions(nonsense, fs::perms::owner_read);
  EXPECT_THAT(error(pair_.certificate(), nonsense).message, HasSubstr("no private key in PEM"));
  fs::permissions(pair_.key(), fs::perms::owner_read | fs::perms::group_read);
  const Error open = error(pair_.certificate(), pair_.key());
  EXPECT_EQ(open.code, Code::refused);
  EXPECT_THAT(open.hint, HasSubstr("chmod 600"));
  // A server with bad files does not start.
  EXPECT_FALSE(
      HttpServer::start({.port = 0, .tls_certificate = pair_.certificate(), .tls_key = pair_.key()},
                        handler_)
          .has_value());
}

}  // namespace
}  // namespace herd::server
