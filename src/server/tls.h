// A certificate and its key for HTTPS: TLS 1.2 and 1.3, nothing that is asked for by renegotiating.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/file.h"
#include "base/result.h"

namespace herd::server {

// Shared by the server and the connections that began with it, so that a new certificate does not disturb those.
using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// Reads both files (PEM; the certificate first in its chain). Fails with missing_input, refused where others may read
// the key, and bad_header where a file is no PEM or the two do not belong together.
Result<TlsContext> load_tls(const fs::path& certificate, const fs::path& key);

}  // namespace herd::server
