// A client over a bare socket, so that tests may say what no well-behaved client says. For tests only.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace herd::server {

struct Received {
  int status = 0;
  std::string head;  // with its empty line; names as they were sent
  std::string body;  // chunks joined

  [[nodiscard]] std::string header(std::string_view name) const {
    const std::size_t at = head.find(fmt::format("\r\n{}: ", name));
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

class RawClient {
 public:
  // `receive_bytes`: how much the system may keep for it unread; 0 for what the system thinks right.
  explicit RawClient(std::uint16_t port, int receive_bytes = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const void* any = &address;
    connected_ = ::connect(fd_, static_cast<const sockaddr*>(any), sizeof(address)) == 0;
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { close(); }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int descriptor() const { return fd_; }

  // False where the other end does not listen any more.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  void half_close() const { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  // The other end hears a reset instead of an orderly end.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }

  // One answer; status 0 when the connection ended or nothing came for so long.
  Received receive(int timeout_ms = 20'000) {
    Received got;
    std::size_t end = 0;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos)
      if (!more(timeout_ms)) return got;
    got.head = in_.substr(0, end + 4);
    in_.erase(0, end + 4);
    std::from_chars(got.head.data() + 9, got.head.data() + 12, got.status);
    if (got.status == 100) return receive(timeout_ms);
    if (got.header("transfer-encoding") == "chunked") {
      receive_chunks(got, timeout_ms);
    } else if (const std::string length = got.header("content-length"); !length.empty()) {
      std::size_t bytes = 0;
      std::from_chars(length.data(), length.data() + length.size(), bytes);
      while (in_.size() < bytes && more(timeout_ms)) {
      }
      got.body = in_.substr(0, bytes);
      in_.erase(0, bytes);
    }
    return got;
  }

  // Whatever comes until `text` is among it, or nothing comes any more.
  std::string read_until(std::string_view text, int timeout_ms = 20'000) {
    while (!in_.contains(text) && more(timeout_ms)) {
    }
    return in_;
  }

  // Whether the other end has closed, waiting so long for it.
  bool closed(int timeout_ms = 5'000) {
    while (more(timeout_ms)) {
    }
    return ended_;
  }

 private:
  bool more(int timeout_ms) {
    pollfd waits{.fd = fd_, .events = POLLIN, .revents = 0};
    if (ended_ || ::poll(&waits, 1, timeout_ms) <= 0) return false;
    char bytes[16 * 1024];
    const ssize_t n = ::recv(fd_, bytes, sizeof(bytes), 0);
    if (n <= 0) {
      ended_ = true;
      return false;
    }
    in_.append(bytes, static_cast<std::size_t>(n));
    return true;
  }

  void receive_chunks(Received& got, int timeout_ms) {
    while (true) {
      std::size_t end = 0;
      while ((end = in_.find("\r\n")) == std::string::npos)
        if (!more(timeout_ms)) return;
      std::size_t bytes = 0;
      std::from_chars(in_.data(), in_.data() + end, bytes, 16);
      while (in_.size() < end + 2 + bytes + 2)
        if (!more(timeout_ms)) return;
      got.body += in_.substr(end + 2, bytes);
      in_.erase(0, end + 2 + bytes + 2);
      if (bytes == 0) return;
    }
  }

  int fd_ = -1;
  bool connected_ = false;
  bool ended_ = false;
  std::string in_;
};

}  // namespace herd::server
