// A server on the loopback address that says whatever it is told to, over TLS if asked.
#pragma once

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace digitron::testing {

// A client's, closed with this. Without a context it is not encrypted.
class Connection {
 public:
  Connection(int socket, SSL_CTX* context) : socket_(socket) {
    if (context == nullptr) return;
    tls_ = SSL_new(context);
    SSL_set_fd(tls_, socket_);
    SSL_accept(tls_);
  }
  ~Connection() {
    SSL_free(tls_);
    ::close(socket_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // "/path" of the request, which is read to its end.
  std::string request() const {
    std::string text;
    while (text.find("\r\n\r\n") == std::string::npos && read(text)) {
    }
    const size_t begin = text.find(' ') + 1;
    return text.substr(begin, text.find(' ', begin) - begin);
  }

  // False once the client has gone.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = tls_ != nullptr
                            ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                            : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  void wait_until_the_client_goes() const {
    for (std::string rest; read(rest);) {
    }
  }

 private:
  bool read(std::string& to) const {
    char part[4096];
    const auto got =
        tls_ != nullptr ? SSL_read(tls_, part, sizeof part) : ::recv(socket_, part, sizeof part, 0);
    if (got > 0) to.append(part, static_cast<size_t>(got));
    return got > 0;
  }

  int socket_;
  SSL* tls_ = nullptr;
};

class LoopbackServer {
 public:
  // What is said to each client that has asked for a path, in a thread of its own.
  using Answer = std::function<void(const std::string& path, const Connection& client)>;

  explicit LoopbackServer(Answer answer, SSL_CTX* context = nullptr)
      : answer_(std::move(answer)),
        context_(context),
        socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const place = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_, place, size) != 0 || ::listen(socket_, 16) != 0 ||
        ::getsockname(socket_, place, &size) != 0) {
      throw std::runtime_error("no server on the loopback address");
    }
    port_ = ntohs(address.sin_port);
    listener_ = std::jthread([this] { listen(); });
  }
  ~LoopbackServer() {
    ::shutdown(socket_, SHUT_RDWR);
    listener_.join();
    ::close(socket_);
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::string url() const {
    return (context_ != nullptr ? "https" : "http") + std::string("://127.0.0.1:") +
           std::to_string(port_);
  }

 private:
  void listen() {
    std::vector<std::jthread> clients;
    for (int client = 0; (client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      clients.emplace_back([this, client] {
        sigset_t gone;  // OpenSSL writes to a client that has gone as to a pipe
        sigemptyset(&gone);
        sigaddset(&gone, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &gone, nullptr);
        const Connection connection(client, context_);
        answer_(connection.request(), connection);
      });
    }
  }

  Answer answer_;
  SSL_CTX* context_;
  int socket_;
  int port_ = 0;
  std::jthread listener_;
};

}  // namespace digitron::testing
