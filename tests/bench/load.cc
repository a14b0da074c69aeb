// A client that keeps a server busy: connections x outstanding requests, closed loop, a fixed number of requests. One
// thread. Prints one line of what it did and what CPU the server took for it.
//
//   bench_load <port> <server pid> produce|fetch [bytes=16384] [record=1024] [partitions=1] [acks=1] [connections=4]
//              [outstanding=5] [count=10000] [shared=0] [bare=0]
//
// produce: each request brings every partition one batch of about `bytes` bytes in records of `record` bytes. A
// connection has a topic of its own, so that there is as much to lock as with a client per partition; with shared=1
// they all write to one. fetch: `bytes` at a time, walking through a topic of 256 MiB that is filled first. A tenth of
// the count runs before anything is counted. bare=<answer bytes>: the server is bench_bare: the same frames go there
// and nothing is decoded.
#include <poll.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/produce.h"
#include "protocol/records/builder.h"
#include "tests/bench/wire.h"

namespace {

using bench::die;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::FetchRequest;
using protocol::FetchResponse;
using protocol::ProduceRequest;
using protocol::ProduceResponse;

constexpr std::int16_t kCreateVersion = 5;
constexpr std::int16_t kProduceVersion = 9;
constexpr std::int16_t kFetchVersion = 12;
constexpr std::size_t kFetchedBytes = 256 << 20;
constexpr std::size_t kFillBatchBytes = 16 << 10;
constexpr std::size_t kMaxGathered = 16;

struct Options {
  std::uint16_t port = 0;
  int server = 0;
  bool fetches = false;
  std::map<std::string, std::size_t, std::less<>> numbers{{"bytes", 16384},   {"record", 1024},   {"partitions", 1},
                                                          {"connections", 4}, {"outstanding", 5}, {"count", 10000},
                                                          {"shared", 0},      {"bare", 0}};
  std::int16_t acks = 1;

  std::size_t operator[](std::string_view name) const { return numbers.find(name)->second; }
};

Options parse(int argc, char** argv) {
  if (argc < 4) die("usage: bench_load <port> <server pid> produce|fetch [name=number]...");
  Options out{.port = static_cast<std::uint16_t>(std::stoi(argv[1])),
              .server = std::stoi(argv[2]),
              .fetches = std::string_view(argv[3]) == "fetch"};
  for (int i = 4; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto equals = word.find('=');
    const auto name = word.substr(0, equals);
    const std::string value(word.substr(equals + 1));
    if (name == "acks")
      out.acks = static_cast<std::int16_t>(std::stoi(value));
    else if (const auto known = out.numbers.find(name); known != out.numbers.end())
      known->second = std::stoul(value);
    else
      die("unknown option {}", word);
  }
  return out;
}

base::Buffer make_batch(std::size_t bytes, std::size_t record_bytes) {
  protocol::BatchBuilder builder{{}};
  const std::string value(record_bytes, 'x');
  do {
    const auto left = std::min(record_bytes, bytes - std::min(bytes, builder.size_bytes() + 16));
    builder.add(
        {.timestamp = base::SystemClock{}.wall(), .value = base::as_bytes(std::string_view(value).substr(0, left))});
  } while (builder.size_bytes() + 32 < bytes);
  return std::move(*std::move(builder).build());
}

base::Buffer produce_frame(const std::string& topic, const Options& options) {
  const auto batch = make_batch(options["bytes"], options["record"]);
  ProduceRequest request;
  request.acks = options.acks;
  request.timeout_ms = 30000;
  auto& one = request.topic_data.emplace_back();
  one.name = topic;
  for (std::size_t i = 0; i < options["partitions"]; ++i) {
    auto& partition = one.partition_data.emplace_back();
    partition.index = static_cast<std::int32_t>(i);
    partition.records.view = batch.bytes();
  }
  return bench::encode(request, kProduceVersion);
}

base::Buffer fetch_frame(const std::string& topic, std::int64_t offset, std::size_t bytes) {
  FetchRequest request;
  request.max_wait_ms = 500;
  request.min_bytes = 1;
  auto& one = request.topics.emplace_back();
  one.topic = topic;
  auto& partition = one.partitions.emplace_back();
  partition.fetch_offset = base::Offset{offset};
  partition.partition_max_bytes = static_cast<std::int32_t>(bytes);
  return bench::encode(request, kFetchVersion);
}

void check_produced(const base::Buffer& payload) {
  for (const auto& topic : bench::decode<ProduceResponse>(payload, kProduceVersion).responses)
    for (const auto& partition : topic.partition_responses)
      if (partition.error_code != base::ErrorCode::none)
        die("produce failed with code {}", static_cast<int>(partition.error_code));
}

void create_topic(int fd, const std::string& name, std::size_t partitions) {
  CreateTopicsRequest request;
  request.topics.push_back({.name = name,
                            .num_partitions = static_cast<std::int32_t>(partitions),
                            .replication_factor = 1,
                            .assignments = {},
                            .configs = {}});
  const auto answer = bench::call<CreateTopicsResponse>(fd, request, kCreateVersion);
  if (const auto code = answer.topics.at(0).error_code; code != base::ErrorCode::none)
    die("cannot create {}: code {}", name, static_cast<int>(code));
}

// Frames that fetch the whole topic, piece by piece.
std::vector<base::Buffer> fill(int fd, const std::string& topic, const Options& options) {
  std::vector<base::Buffer> frames;
  Options filling;
  filling.numbers["bytes"] = kFillBatchBytes;
  const auto frame = produce_frame(topic, filling);
  std::int64_t offset = 0;
  // Somewhat more than is fetched: batches are a little smaller than asked for, and the last answer must be full.
  for (std::size_t written = 0; written < kFetchedBytes * 9 / 8; written += kFillBatchBytes) {
    bench::send_all(fd, frame.bytes());
    const auto payload = bench::receive_frame(fd);
    check_produced(payload);
    const auto answer = bench::decode<ProduceResponse>(payload, kProduceVersion);
    offset = answer.responses.at(0).partition_responses.at(0).base_offset.raw;
    if (written % options["bytes"] == 0 && written + options["bytes"] <= kFetchedBytes)
      frames.push_back(fetch_frame(topic, offset, options["bytes"]));
  }
  return frames;
}

struct Connection {
  int fd = -1;
  std::vector<base::Buffer> frames;  // sent in turn
  std::size_t next_frame = 0;
  std::size_t sent_of_frame = 0;
  std::size_t to_send = 0;   // requests the window allows
  std::size_t answered = 0;  // of all
  std::size_t prefix_have = 0;
  std::array<std::byte, 4> prefix{};
  std::size_t answer_left = 0;
};

class Load {
 public:
  Load(const Options& options, std::vector<Connection> connections)
      : options_(options), connections_(std::move(connections)), scratch_(4 << 20) {}

  void run(std::size_t count) {
    unsent_ = unanswered_ = count;
    for (auto& c : connections_) open_window(c, options_["outstanding"]);
    while (unanswered_ > 0) {
      std::vector<pollfd> waits;
      for (auto& c : connections_) {
        send(c);
        waits.push_back({c.fd, static_cast<short>(POLLIN | (c.to_send > 0 ? POLLOUT : 0)), 0});
      }
      ::poll(waits.data(), waits.size(), -1);
      for (std::size_t i = 0; i < waits.size(); ++i)
        if (waits[i].revents & POLLIN) receive(connections_[i]);
    }
  }
  std::uint64_t bytes_received() const { return bytes_received_; }

 private:
  void open_window(Connection& c, std::size_t requests) {
    const auto n = std::min(requests, unsent_);
    unsent_ -= n;
    c.to_send += n;
  }

  static void send(Connection& c) {
    while (c.to_send > 0) {
      std::array<iovec, kMaxGathered> pieces;
      const auto count = std::min(c.to_send, pieces.size());
      for (std::size_t i = 0; i < count; ++i) {
        auto& frame = c.frames[(c.next_frame + i) % c.frames.size()];
        const auto skip = i == 0 ? c.sent_of_frame : 0;
        pieces[i] = {frame.data() + skip, frame.size() - skip};
      }
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = count;
      const auto n = ::sendmsg(c.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) die("send: {}", std::strerror(errno));
      for (auto left = static_cast<std::size_t>(n); left > 0;) {
        const auto rest = c.frames[c.next_frame].size() - c.sent_of_frame;
        const auto part = std::min(left, rest);
        left -= part;
        c.sent_of_frame += part;
        if (part < rest) continue;
        c.sent_of_frame = 0;
        c.next_frame = (c.next_frame + 1) % c.frames.size();
        --c.to_send;
      }
    }
  }

  void receive(Connection& c) {
    const auto n = ::recv(c.fd, scratch_.data(), scratch_.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) die("the server closed the connection");
    bytes_received_ += static_cast<std::uint64_t>(n);
    std::size_t done = 0;
    for (auto input = scratch_.bytes().first(static_cast<std::size_t>(n)); !input.empty();) {
      if (c.answer_left > 0) {
        const auto part = std::min(c.answer_left, input.size());
        c.answer_left -= part;
        input = input.subspan(part);
      } else {
        c.prefix[c.prefix_have++] = input.front();
        input = input.subspan(1);
        if (c.prefix_have < c.prefix.size()) continue;
        c.prefix_have = 0;
        c.answer_left = base::load_big_endian<std::uint32_t>(c.prefix.data());
        if (options_.fetches && c.answer_left < options_["bytes"]) die("an answer of {} bytes", c.answer_left);
      }
      if (c.prefix_have == 0 && c.answer_left == 0) ++done;
    }
    unanswered_ -= done;
    c.answered += done;
    open_window(c, done);
  }

  const Options& options_;
  std::vector<Connection> connections_;
  base::Buffer scratch_;
  std::size_t unsent_ = 0, unanswered_ = 0;
  std::uint64_t bytes_received_ = 0;
};

std::vector<Connection> connect_all(const Options& options) {
  std::vector<Connection> out;
  for (std::size_t i = 0; i < options["connections"]; ++i) {
    auto& c = out.emplace_back();
    c.fd = bench::try_connect(options.port);
    if (c.fd < 0) die("nobody listens on port {}", options.port);
    const auto topic = fmt::format("bench-{}", options["shared"] ? 0 : i);
    const bool bare = options["bare"] > 0;
    if (bare && options.fetches) {
      c.frames.push_back(fetch_frame(topic, 0, options["bytes"]));
    } else if (options.fetches) {
      create_topic(c.fd, topic, 1);
      c.frames = fill(c.fd, topic, options);
    } else {
      c.frames.push_back(produce_frame(topic, options));
      if (bare) continue;
      if (i == 0 || !options["shared"]) create_topic(c.fd, topic, options["partitions"]);
      bench::send_all(c.fd, c.frames.front().bytes());
      check_produced(bench::receive_frame(c.fd));
    }
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  auto connections = connect_all(options);
  double frame_bytes = static_cast<double>(connections.front().frames.front().size());
  Load load(options, std::move(connections));
  load.run(options["count"] / 10 + 1);

  const auto received_before = load.bytes_received();
  const auto cpu_before = bench::cpu_seconds_of(options.server);
  const base::SystemClock clock;
  const auto begin = clock.now();
  load.run(options["count"]);
  const std::chrono::duration<double> took = clock.now() - begin;
  const auto cpu = bench::cpu_seconds_of(options.server) - cpu_before;
  const auto requests = static_cast<double>(options["count"]);
  if (options.fetches) frame_bytes = static_cast<double>(load.bytes_received() - received_before) / requests;
  const auto gigabytes = frame_bytes * requests / 1e9;
  fmt::print("cpu_us={:.3f} s_per_gb={:.4f} requests_per_s={:.0f} mb_per_s={:.1f} rss_mib={:.1f}\n",
             cpu / requests * 1e6, cpu / gigabytes, requests / took.count(), gigabytes * 1e3 / took.count(),
             bench::memory_mib_of(options.server, "VmRSS"));
}
