// The floor a broker is measured against: what no server can leave out, and nothing else. One thread, epoll.
//
//   bench_bare produce <directory> <answer bytes> <pieces>    receive, CRC-32C, pwrite into the page cache, answer;
//                                                             a frame goes into <pieces> files in equal parts
//   bench_bare fetch <directory> <answer bytes> [batches|pages]   receive, answer a head with MSG_MORE and that many
//                                                             bytes of <directory>/data by sendfile: beginning where
//                                                             batches do, as consumers ask, or at whole pages, which
//                                                             costs sendfile half as much
//
// Prints its port. Frames have Kafka's size prefix; answers are a head as long as the broker's with zeros in it.
// Socket buffers as the broker sets them by default.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <vector>

#include "base/crc32c.h"
#include "tests/bench/wire.h"

namespace {

using bench::die;

constexpr int kSocketBuffer = 102400;
constexpr std::size_t kReceiveBytes = 64 << 10;
constexpr off_t kBatchBytes = 16377;
constexpr std::size_t kFetchHead = 100;  // about what stands before the records in a Fetch answer

struct Work {
  bool fetches = false;
  std::string directory;
  std::size_t answer_bytes = 0;
  std::size_t pieces = 1;
  bool from_pages = false;
};

struct Connection {
  int fd = -1;
  std::vector<int> files;
  off_t position = 0;
  std::vector<std::byte> received;  // a frame that is not complete
  std::size_t have = 0;
  std::vector<std::byte> answers;  // to be sent
  std::size_t fetches_owed = 0;
  off_t next_fetch_at = 0, fetch_at = 0, fetch_left = 0;
  bool waits_to_send = false;
};

class Server {
 public:
  explicit Server(Work work) : work_(std::move(work)), scratch_(kReceiveBytes), head_(kFetchHead) {
    if (!work_.fetches) return;
    data_ = ::open((work_.directory + "/data").c_str(), O_RDWR | O_CREAT, 0644);
    // In the pieces a broker receives: how a file was written decides how large the folios of the page cache are.
    const std::vector<std::byte> part(kBatchBytes);
    for (off_t at = 0; at < kDataBytes; at += static_cast<off_t>(part.size()))
      if (::pwrite(data_, part.data(), part.size(), at) < 0) die("write: {}", std::strerror(errno));
    base::store_big_endian(head_.data(), static_cast<std::int32_t>(kFetchHead - 4 + work_.answer_bytes));
  }

  [[noreturn]] void run() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
    ::setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener, 64) != 0)
      die("bind: {}", std::strerror(errno));
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
    fmt::print("{}\n", ntohs(at.sin_port));
    std::fflush(stdout);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    watch(listener, nullptr, EPOLLIN, EPOLL_CTL_ADD);
    for (;;) {
      std::array<epoll_event, 64> events;
      const int n = ::epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < n; ++i) {
        auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (!connection)
          accept(listener);
        else if (!serve(*connection))
          ::close(connection->fd);  // what it holds lives as long as the process
      }
    }
  }

 private:
  static constexpr off_t kDataBytes = 256 << 20;

  void watch(int fd, Connection* connection, std::uint32_t what, int how) {
    epoll_event event{.events = what, .data = {.ptr = connection}};
    ::epoll_ctl(epoll_, how, fd, &event);
  }

  void accept(int listener) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto& connection = *connections_.emplace_back(std::make_unique<Connection>());
    connection.fd = fd;
    for (std::size_t i = 0; !work_.fetches && i < work_.pieces; ++i)
      connection.files.push_back(::open(fmt::format("{}/{}-{}", work_.directory, connections_.size(), i).c_str(),
                                        O_RDWR | O_CREAT | O_TRUNC, 0644));
    watch(fd, &connection, EPOLLIN, EPOLL_CTL_ADD);
  }

  // False: the client is gone.
  bool serve(Connection& c) {
    for (;;) {
      if (!send_owed(c)) return true;  // the socket is full; EPOLLOUT is armed
      std::byte* into = c.have > 0 ? c.received.data() + c.have : scratch_.data();
      const auto room = c.have > 0 ? c.received.size() - c.have : scratch_.size();
      const auto n = ::recv(c.fd, into, room, 0);
      if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
      if (n < 0) return true;
      if (c.have > 0) {
        c.have += static_cast<std::size_t>(n);
        if (c.have == c.received.size()) {
          handle(c, {c.received.data(), c.have});
          c.have = 0;
        }
      } else {
        frames(c, {scratch_.data(), static_cast<std::size_t>(n)});
      }
      if (!send_owed(c)) return true;
      if (static_cast<std::size_t>(n) < room) return true;
    }
  }

  void frames(Connection& c, std::span<std::byte> input) {
    while (!input.empty()) {
      if (input.size() < 4) {  // a size cut in two: get the rest of it now
        std::byte whole[4];
        std::copy(input.begin(), input.end(), whole);
        for (auto at = input.size(); at < 4;)
          if (const auto n = ::recv(c.fd, whole + at, 4 - at, 0); n > 0) at += static_cast<std::size_t>(n);
        return begin(c, whole, base::load_big_endian<std::uint32_t>(whole) + 4);
      }
      const auto size = base::load_big_endian<std::uint32_t>(input.data()) + 4;
      if (input.size() < size) return begin(c, input, size);
      handle(c, input.first(size));
      input = input.subspan(size);
    }
  }

  static void begin(Connection& c, std::span<std::byte> part, std::size_t size) {
    c.received.resize(size);
    std::copy(part.begin(), part.end(), c.received.begin());
    c.have = part.size();
  }

  void handle(Connection& c, std::span<std::byte> frame) {
    if (work_.fetches) {
      ++c.fetches_owed;
      return;
    }
    const auto piece = frame.size() / work_.pieces;
    for (std::size_t i = 0; i < work_.pieces; ++i) {
      const auto part = frame.subspan(i * piece, piece);
      checksum_ ^= base::crc32c(part);
      if (::pwrite(c.files[i], part.data(), part.size(), c.position) < 0) die("write: {}", std::strerror(errno));
    }
    c.position += static_cast<off_t>(piece);
    const auto at = c.answers.size();
    c.answers.resize(at + 4 + work_.answer_bytes);
    base::store_big_endian(c.answers.data() + at, static_cast<std::int32_t>(work_.answer_bytes));
    c.answers[at + 4] = static_cast<std::byte>(checksum_);
  }

  // False: the socket takes no more at present.
  bool send_owed(Connection& c) {
    if (!c.answers.empty()) {
      bench::send_all(c.fd, c.answers);  // small: it always fits
      c.answers.clear();
    }
    while (c.fetches_owed > 0) {
      if (c.fetch_left == 0) {
        if (::send(c.fd, head_.data(), head_.size(), MSG_MORE | MSG_NOSIGNAL) < 0) return arm(c, true);
        c.fetch_at = c.next_fetch_at;
        c.fetch_left = static_cast<off_t>(work_.answer_bytes);
        // From batch to batch is how consumers walk: seldom at the beginning of a page.
        c.next_fetch_at += work_.from_pages ? c.fetch_left : c.fetch_left / kBatchBytes * kBatchBytes;
        if (c.next_fetch_at + c.fetch_left > kDataBytes) c.next_fetch_at = 0;
      }
      while (c.fetch_left > 0) {
        const auto n = ::sendfile(c.fd, data_, &c.fetch_at, static_cast<std::size_t>(c.fetch_left));
        if (n < 0) return arm(c, true);
        c.fetch_left -= n;
      }
      --c.fetches_owed;
    }
    if (c.waits_to_send) arm(c, false);
    return true;
  }

  bool arm(Connection& c, bool output) {
    c.waits_to_send = output;
    watch(c.fd, &c, output ? EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
    return false;
  }

  Work work_;
  std::vector<std::byte> scratch_, head_;
  int data_ = -1;
  int epoll_ = -1;
  std::uint32_t checksum_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4)
    die("usage: bench_bare produce <directory> <answer bytes> [<pieces>]\n       bench_bare fetch <directory> <answer "
        "bytes> [batches|pages]");
  std::signal(SIGPIPE, SIG_IGN);
  Work work{.fetches = std::string_view(argv[1]) == "fetch", .directory = argv[2], .answer_bytes = std::stoul(argv[3])};
  if (argc > 4 && work.fetches) work.from_pages = std::string_view(argv[4]) == "pages";
  if (argc > 4 && !work.fetches) work.pieces = std::stoul(argv[4]);
  Server server(std::move(work));
  server.run();
}
