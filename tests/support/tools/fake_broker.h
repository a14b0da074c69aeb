// A broker whose every answer a test decides, bytes and all.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace test {

class FakeBroker {
 public:
  struct Request {
    std::int16_t api = 0;
    std::int16_t version = 0;
    std::int32_t correlation_id = 0;
  };
  // The bytes to send, size prefix included; nothing closes the connection.
  using Answer = std::function<std::string(const Request&)>;

  explicit FakeBroker(Answer answer);
  ~FakeBroker();
  std::uint16_t port() const { return port_; }

 private:
  struct Peer {
    int socket = -1;
    std::string pending;
  };
  void serve();
  bool converse(Peer& peer);  // false: the conversation is over

  Answer answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// A port of 127.0.0.1 where nobody listens.
std::uint16_t closed_port();

}  // namespace test
