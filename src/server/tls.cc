#include "server/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <sys/stat.h>

namespace herd::server {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

Result<void> check_file(const fs::path& path, std::string_view flag) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored))
    return fail(Code::missing_input, "{} {}: no such file", flag, path.string());
  return {};
}

Result<void> check_private(const fs::path& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) == 0 && (found.st_mode & 077) != 0)
    return fail_with_hint(
        Code::refused, fmt::format("--tls-key {}: others may read this private key", path.string()),
        fmt::format("chmod 600 {}", path.string()));
  return {};
}

}  // namespace

Result<TlsContext> load_tls(const fs::path& certificate, const fs::path& key) {
  HERD_TRY_VOID(check_file(certificate, "--tls-cert"));
  HERD_TRY_VOID(check_file(key, "--tls-key"));
  HERD_TRY_VOID(check_private(key));
  // Shared: see the header.
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* native = context->native_handle();
  ::SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  ::SSL_CTX_set_options(
      native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // A connection that waits holds no buffers of OpenSSL's.
  ::SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  error_code error;
  context->use_certificate_chain_file(certificate.string(), error);
  if (error)
    return fail(Code::bad_header, "--tls-cert {}: no certificate in PEM: {}", certificate.string(),
                error.message());
  context->use_private_key_file(key.string(), ssl::context::pem, error);
  const bool foreign =
      ERR_GET_REASON(static_cast<unsigned long>(error.value())) == X509_R_KEY_VALUES_MISMATCH;
  if (error && !foreign)
    return fail(Code::bad_header, "--tls-key {}: no private key in PEM: {}", key.string(),
                error.message());
  if (foreign || ::SSL_CTX_check_private_key(native) != 1)
    return fail(Code::bad_header, "--tls-key {}: does not belong to the certificate {}",
                key.string(), certificate.string());
  ::ERR_clear_error();
  return context;
}

}  // namespace herd::server
