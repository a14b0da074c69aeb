#include "tests/support/broker/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"

namespace broker::test {
namespace {

base::BufferChain empty_frame(std::int32_t correlation_id) { return frame_of(correlation_id, {}); }

protocol::Api api(std::int16_t key, std::string_view name) { return {.key = key, .name = name, .versions = {0, 0}}; }

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  const base::SystemClock clock;
  const auto deadline = clock.now() + std::chrono::seconds(10);
  while (!condition()) {
    if (clock.now() > deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

base::BufferChain frame_of(std::int32_t correlation_id, std::span<const std::byte> body) {
  base::Buffer buffer(8 + body.size());
  base::store_big_endian(buffer.data(), static_cast<std::int32_t>(4 + body.size()));
  base::store_big_endian(buffer.data() + 4, correlation_id);
  if (!body.empty()) std::memcpy(buffer.data() + 8, body.data(), body.size());
  return base::BufferChain(std::move(buffer));
}

Parked Toys::take(std::int32_t correlation_id) {
  absl::MutexLock lock(&mutex_);
  const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return parked_.contains(correlation_id); };
  base::invariant(mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10)), "the request is parked");
  return std::move(parked_.extract(correlation_id).mapped());
}

std::size_t Toys::parked() const {
  absl::MutexLock lock(&mutex_);
  return parked_.size();
}

void Toys::park(Parked parked) {
  absl::MutexLock lock(&mutex_);
  const auto id = parked.correlation_id;
  parked_.insert_or_assign(id, std::move(parked));
}

std::vector<Parked> Toys::take_all() {
  absl::MutexLock lock(&mutex_);
  std::vector<Parked> out;
  for (auto& [id, parked] : parked_) out.push_back(std::move(parked));
  parked_.clear();
  return out;
}

void Toys::fill_table(ApiTable& table) {
  const auto add = [&](std::int16_t key, std::string_view name, Handler handler, ApiEntry flags = {}) {
    flags.api = api(key, name);
    flags.versions = {0, 0};
    flags.handler = [this, handler = std::move(handler)](Request& request, AnswerSlot slot) {
      ++executed;
      handler(request, std::move(slot));
    };
    table.add(std::move(flags));
  };
  ApiEntry exclusive;
  exclusive.no_read_ahead = true;
  ApiEntry any;
  any.any_version = true;
  const auto park_it = [this](Request& request, AnswerSlot slot) {
    park({std::move(slot), request.correlation_id(), nullptr, {}});
  };
  add(toy::kEcho, "Echo",
      [](Request& request, AnswerSlot slot) { slot.fill(frame_of(request.correlation_id(), request.body())); });
  add(toy::kPark, "Park", park_it);
  add(toy::kSkip, "Skip", [](Request&, AnswerSlot slot) { slot.skip(); });
  add(toy::kFile, "File", [this](Request& request, AnswerSlot slot) {
    base::BufferChain ranges;
    const auto body = request.body();
    for (std::size_t at = 0; at + 12 <= body.size(); at += 12) {
      base::Buffer mark(4);
      std::memcpy(mark.data(), body.data() + at + 8, 4);
      ranges.append(std::move(mark));
      ranges.append(
          base::FileSlice{file, static_cast<std::uint64_t>(base::load_big_endian<std::int64_t>(body.data() + at)),
                          static_cast<std::size_t>(base::load_big_endian<std::int32_t>(body.data() + at + 8))});
    }
    base::Buffer head(8);
    base::store_big_endian(head.data(), static_cast<std::int32_t>(4 + ranges.size_bytes()));
    base::store_big_endian(head.data() + 4, request.correlation_id());
    base::BufferChain out(std::move(head));
    out.append(std::move(ranges));
    slot.fill(std::move(out));
  });
  add(toy::kExclusive, "Exclusive", park_it, exclusive);
  add(toy::kRefuse, "Refuse", [](Request&, AnswerSlot slot) { slot.close_connection("it asked to be refused"); });
  add(toy::kForget, "Forget", [](Request&, AnswerSlot) {});
  add(toy::kBig, "Big", [](Request& request, AnswerSlot slot) {
    base::Buffer body(static_cast<std::size_t>(base::load_big_endian<std::int32_t>(request.body().data())));
    std::memset(body.data(), request.correlation_id() & 0xff, body.size());
    slot.fill(frame_of(request.correlation_id(), body.bytes()));
  });
  add(toy::kKeep, "Keep", [this](Request& request, AnswerSlot slot) {
    auto frame = request.keep_frame();
    park({std::move(slot), request.correlation_id(), std::move(frame), request.body()});
  });
  add(
      toy::kVersions, "Versions",
      [](Request& request, AnswerSlot slot) {
        if (request.version() == 0) return slot.fill(empty_frame(request.correlation_id()));
        slot.fill(frame_of(request.correlation_id(), base::as_bytes(std::to_string(request.version()))));
      },
      any);
}

Rig::Rig(RigOptions options) : loops(options.loops, "test"), pool(1, "test-pool") {
  // Both ends of a thousand connections live in this process.
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8192);
  ::setrlimit(RLIMIT_NOFILE, &files);
  toys.fill_table(table);
  if (options.network.listeners.empty()) {
    ListenerSettings listener;
    listener.host = "127.0.0.1";
    listener.port = 0;
    options.network.listeners.push_back(listener);
  }
  server = std::make_unique<SocketServer>(
      options.network,
      SocketServer::Parts{.table = table, .loops = loops, .reads = options.pool ? &reads : nullptr, .clock = clock});
  const auto bound = server->bind();
  base::invariant(bound.ok(), bound ? "" : bound.error().text());
  loops.start();
  pool.start();
  server->start();
}

Rig::~Rig() {
  server->stop(std::chrono::milliseconds(0));
  pool.stop();
  loops.stop();
}

Client::Client(std::uint16_t port, const std::string& host, int receive_buffer_bytes) {
  sockaddr_storage to{};
  socklen_t length = sizeof(sockaddr_in);
  auto& v4 = reinterpret_cast<sockaddr_in&>(to);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(to);
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
  } else {
    ::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    length = sizeof(sockaddr_in6);
  }
  descriptor_ = ::socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval limit{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (receive_buffer_bytes > 0)
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  base::invariant(::connect(descriptor_, reinterpret_cast<sockaddr*>(&to), length) == 0, "the client can connect");
}

bool can_connect(std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(descriptor, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  ::close(descriptor);
  return connected;
}

Client::~Client() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void Client::finish_sending() { ::shutdown(descriptor_, SHUT_WR); }

std::optional<std::string> Client::receive(std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t at = 0; at < bytes;) {
    const auto n = ::recv(descriptor_, out.data() + at, bytes - at, 0);
    if (n <= 0) return std::nullopt;
    at += static_cast<std::size_t>(n);
  }
  return out;
}

bool Client::closed_by_peer() {
  char byte = 0;
  const auto n = ::recv(descriptor_, &byte, 1, 0);
  return n == 0 || (n < 0 && (errno == ECONNRESET || errno == EPIPE));
}

std::string int32_text(std::int32_t x) {
  std::string out(4, '\0');
  base::store_big_endian(reinterpret_cast<std::byte*>(out.data()), x);
  return out;
}

std::string int64_text(std::int64_t x) {
  std::string out(8, '\0');
  base::store_big_endian(reinterpret_cast<std::byte*>(out.data()), x);
  return out;
}

std::string request_frame(std::int16_t key, std::int32_t correlation_id, std::string_view body, std::int16_t version) {
  std::string payload(4, '\0');
  base::store_big_endian(reinterpret_cast<std::byte*>(payload.data()), key);
  base::store_big_endian(reinterpret_cast<std::byte*>(payload.data()) + 2, version);
  payload += int32_text(correlation_id);
  payload += std::string("\0\4test", 6);
  if (key == toy::kVersions && version >= 3) payload += '\0';  // tags: a flexible header
  payload += body;
  return int32_text(static_cast<std::int32_t>(payload.size())) + payload;
}

bool Client::request(std::int16_t key, std::int32_t correlation_id, std::string_view body, std::int16_t version) {
  return send(request_frame(key, correlation_id, body, version));
}

std::optional<Client::Reply> Client::reply() {
  const auto head = receive(8);
  if (!head) return std::nullopt;
  const auto* at = reinterpret_cast<const std::byte*>(head->data());
  auto body = receive(static_cast<std::size_t>(base::load_big_endian<std::int32_t>(at) - 4));
  if (!body) return std::nullopt;
  return Reply{base::load_big_endian<std::int32_t>(at + 4), std::move(*body)};
}

std::uint16_t Client::local_port() const {
  sockaddr_in own{};
  socklen_t length = sizeof own;
  ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&own), &length);
  return ntohs(own.sin_port);
}

ScratchFile::ScratchFile(std::size_t bytes) : contents_(bytes, '\0') {
  std::mt19937 random(42);
  for (auto& c : contents_) c = static_cast<char>(random());
  // Not /tmp, which may be memory: eviction from the page cache needs a disk behind the file.
  const char* directory = std::getenv("WEIR_SCRATCH");
  path_ = std::string(directory ? directory : ".") + "/weir-network-XXXXXX";
  const int descriptor = ::mkstemp(path_.data());
  base::invariant(descriptor >= 0, "a scratch file can be made");
  ::close(descriptor);
  std::ofstream(path_, std::ios::binary) << contents_;
}

ScratchFile::~ScratchFile() { ::unlink(path_.c_str()); }

std::shared_ptr<const base::File> ScratchFile::open() const {
  base::PosixFiles files;
  auto file = files.open(path_, base::OpenMode::read_only);
  base::invariant(file.ok(), "the scratch file opens");
  return std::shared_ptr<const base::File>(std::move(*file));
}

}  // namespace broker::test
