// The other side of a connection to a broker: a listening socket whose every byte the test decides. Blocking, ten
// seconds at most.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace test_support {

class LoopbackPeer {
 public:
  LoopbackPeer();
  ~LoopbackPeer();
  std::uint16_t port() const { return port_; }
  void close_listener();

  class Stream {
   public:
    explicit Stream(int socket) : socket_(socket) {}
    Stream(Stream&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
    ~Stream();

    struct Request {
      std::int16_t key = 0;
      std::int16_t version = 0;
      std::int32_t correlation_id = 0;
      std::string payload;  // all of it
    };
    std::optional<Request> request();  // nothing: closed by the broker
    bool send(std::string_view bytes);
    bool answer(std::int32_t correlation_id, std::string_view body);
    bool closed_by_broker();  // waits for it
    int socket() const { return socket_; }

   private:
    std::optional<std::string> receive(std::size_t bytes);
    int socket_;
  };
  Stream accept();

 private:
  int listener_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace test_support
