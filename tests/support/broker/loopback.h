// A socket server with toy handlers on a free loopback port, and a blocking client to talk to it.
#pragma once

#include <absl/synchronization/mutex.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/posix_files.h"
#include "broker/network/socket_server.h"

namespace broker::test {

// Waits for a condition that another thread brings about; false after ten seconds.
bool eventually(const std::function<bool()>& condition);

// The toy protocol: real API keys and header v1 (version 0), bodies of our own.
namespace toy {
inline constexpr std::int16_t kEcho = 0;       // answers its body
inline constexpr std::int16_t kPark = 1;       // leaves its slot in Toys::parked
inline constexpr std::int16_t kSkip = 2;       // no answer
inline constexpr std::int16_t kFile = 3;       // body: (position i64, size i32)*: answers ranges of Toys::file
inline constexpr std::int16_t kExclusive = 4;  // as kPark, without read-ahead
inline constexpr std::int16_t kRefuse = 5;     // closes the connection
inline constexpr std::int16_t kForget = 6;     // drops its slot
inline constexpr std::int16_t kBig = 8;        // body: i32: answers so many bytes
inline constexpr std::int16_t kKeep = 9;       // as kPark, keeping the frame
inline constexpr std::int16_t kVersions = 18;  // any version: answers the version it was asked in
}  // namespace toy

struct Parked {
  AnswerSlot slot;
  std::int32_t correlation_id = 0;
  std::shared_ptr<const void> frame;
  std::span<const std::byte> body;
};

// What the handlers leave behind and use. Any thread.
class Toys {
 public:
  // Waits until it is there.
  Parked take(std::int32_t correlation_id) ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t parked() const ABSL_LOCKS_EXCLUDED(mutex_);
  void park(Parked parked) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<Parked> take_all() ABSL_LOCKS_EXCLUDED(mutex_);
  void fill_table(ApiTable& table);

  std::shared_ptr<const base::File> file;
  std::atomic<int> executed{0};

 private:
  mutable absl::Mutex mutex_;
  std::map<std::int32_t, Parked> parked_ ABSL_GUARDED_BY(mutex_);
};

base::BufferChain frame_of(std::int32_t correlation_id, std::span<const std::byte> body);

struct RigOptions {
  NetworkSettings network;  // without listeners: one named PLAINTEXT on 127.0.0.1
  std::size_t loops = 2;
  bool pool = true;
};

class Rig {
 public:
  explicit Rig(RigOptions options = {});
  ~Rig();

  std::uint16_t port(std::string_view listener = "PLAINTEXT") const { return server->port(listener); }

  Toys toys;
  ApiTable table;
  base::SystemClock clock;
  base::LoopSet loops;
  base::BlockingPool pool;
  broker::DiskReads reads{pool, {}};
  std::unique_ptr<SocketServer> server;
};

// Blocking, ten seconds at most.
class Client {
 public:
  explicit Client(std::uint16_t port, const std::string& host = "127.0.0.1", int receive_buffer_bytes = 0);
  ~Client();
  Client(Client&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

  bool send(std::string_view bytes);
  void finish_sending();
  std::optional<std::string> receive(std::size_t bytes);  // nothing: closed before
  bool closed_by_peer();                                  // waits for it

  struct Reply {
    std::int32_t correlation_id = 0;
    std::string body;
  };
  bool request(std::int16_t key, std::int32_t correlation_id, std::string_view body, std::int16_t version = 0);
  std::optional<Reply> reply();
  int descriptor() const { return descriptor_; }
  std::uint16_t local_port() const;

 private:
  int descriptor_ = -1;
};

bool can_connect(std::uint16_t port);

std::string request_frame(std::int16_t key, std::int32_t correlation_id, std::string_view body,
                          std::int16_t version = 0);
std::string int32_text(std::int32_t x);
std::string int64_text(std::int64_t x);

// A file with pseudo-random contents, gone with the object.
class ScratchFile {
 public:
  explicit ScratchFile(std::size_t bytes);
  ~ScratchFile();
  const std::string& contents() const { return contents_; }
  const std::string& path() const { return path_; }
  std::shared_ptr<const base::File> open() const;

 private:
  std::string path_;
  std::string contents_;
};

}  // namespace broker::test
