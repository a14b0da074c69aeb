#include "replication/peers/socket_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <variant>

#include "base/bytes.h"
#include "base/check.h"

namespace replication {
namespace {

namespace asio = boost::asio;
using base::ErrorCode;

constexpr std::size_t kSizePrefix = 4;
constexpr std::size_t kLeastAnswer = 4;  // its correlation id
constexpr base::Duration kFirstBackOff = std::chrono::milliseconds(50);
constexpr base::Duration kLongestBackOff = std::chrono::seconds(1);
// System calls per readiness, before others of the loop get their turn.
constexpr int kReadsPerTurn = 4;
constexpr std::size_t kPiecesPerWrite = 32;

// Connecting to a port of this machine that nobody listens on may, by chance, take that very port as its own and meet
// itself.
bool met_itself(int socket) {
  sockaddr_storage here{}, there{};
  socklen_t here_size = sizeof here, there_size = sizeof there;
  return ::getsockname(socket, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 &&
         ::getpeername(socket, reinterpret_cast<sockaddr*>(&there), &there_size) == 0 && here_size == there_size &&
         std::memcmp(&here, &there, here_size) == 0;
}

}  // namespace

struct SocketConnection::Socket {
  Socket(asio::io_context& context, int socket) : descriptor(context.get_executor(), socket) {}
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor;
};

SocketConnection::SocketConnection(PeerAddress to, PeerOptions options, Services services)
    : to_(std::move(to)),
      options_(std::move(options)),
      services_(services),
      retry_timer_(services.loop.make_timer()),
      back_off_(kFirstBackOff),
      deadline_timer_(services.loop.make_timer()) {}

SocketConnection::~SocketConnection() = default;

void SocketConnection::send(std::int32_t correlation_id, base::BufferChain frame, base::Duration timeout,
                            PeerConnection::Done done) {
  const auto deadline = services_.clock.now() + timeout;
  unanswered_.push_back({correlation_id, deadline, std::move(done)});
  for (auto& piece : frame.pieces()) {
    auto* slice = std::get_if<base::Slice>(&piece);
    base::invariant(slice != nullptr, "a request to a broker lies in memory");
    if (!slice->bytes.empty()) outbox_.push_back(std::move(*slice));
  }
  arm_for(deadline);
  if (state_ == State::idle) connect_soon();
  if (state_ == State::connected && !awaits_writable_) write();
}

void SocketConnection::disconnect() { fail_all(failure("closed by this side"), Fault::ours); }

void SocketConnection::abandon() {
  abandoned_ = true;
  close_socket();
  unanswered_.clear();
}

// ---- connecting ----

void SocketConnection::connect_soon() {
  const auto wait = not_before_ - services_.clock.now();
  if (wait <= base::Duration::zero()) return resolve();
  state_ = State::waiting;
  retry_timer_->arm(wait, [this] { resolve(); });
}

void SocketConnection::resolve() {
  state_ = State::resolving;
  addresses_ = parse_address(to_.endpoint.host, to_.endpoint.port);
  if (!addresses_.empty()) return connect_next();
  services_.names.submit([weak = weak_from_this(), &loop = services_.loop, attempt = attempt_, host = to_.endpoint.host,
                          port = to_.endpoint.port] {
    loop.post([weak, attempt, found = look_up_addresses(host, port)]() mutable {
      const auto self = weak.lock();
      if (self && self->attempt_ == attempt) self->resolved(std::move(found));
    });
  });
}

void SocketConnection::resolved(base::Result<std::vector<SocketAddress>> found) {
  if (!found) return fail_all(failure(found.error().detail), Fault::theirs);
  addresses_ = std::move(*found);
  connect_next();
}

void SocketConnection::connect_next(std::string why_not) {
  while (!addresses_.empty()) {
    const auto address = addresses_.front();
    addresses_.erase(addresses_.begin());
    const auto begun = begin_connect(address);
    if (begun) {
      state_ = State::connecting;
      return await(Ready::to_write, &SocketConnection::connect_ended);
    }
    why_not = begun.error().detail;
  }
  fail_all(failure("cannot connect: " + why_not), Fault::theirs);
}

base::Status SocketConnection::begin_connect(const SocketAddress& address) {
  const auto failed = [] { return base::fail(ErrorCode::network_exception, "{}", std::strerror(errno)); };
  const int socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return failed();
  socket_ = std::make_unique<Socket>(services_.loop.context(), socket);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  // Before connecting: the window's scale is agreed upon then.
  if (const int bytes = options_.receive_buffer_bytes; bytes > 0)
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0) return {};
  if (errno == EINPROGRESS) return {};
  auto why = failed();
  socket_.reset();
  return why;
}

void SocketConnection::connect_ended() {
  const int socket = socket_->descriptor.native_handle();
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error == 0 && met_itself(socket)) error = ECONNREFUSED;
  if (error != 0) {
    socket_.reset();
    ++attempt_;
    return connect_next(std::strerror(error));
  }
  state_ = State::connected;
  addresses_.clear();
  await_readable();
  write();
}

void SocketConnection::await(Ready what, void (SocketConnection::*then)()) {
  socket_->descriptor.async_wait(
      what == Ready::to_read ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write,
      [weak = weak_from_this(), attempt = attempt_, then](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (!error && self && self->attempt_ == attempt) (*self.*then)();
      });
}

void SocketConnection::await_readable() { await(Ready::to_read, &SocketConnection::on_readable); }

void SocketConnection::await_writable() {
  awaits_writable_ = true;
  await(Ready::to_write, &SocketConnection::on_writable);
}

// ---- answers ----

void SocketConnection::on_readable() {
  const auto attempt = attempt_;
  for (int i = 0; i < kReadsPerTurn && attempt == attempt_; ++i)
    if (!receive()) break;
  if (attempt == attempt_) await_readable();
}

// Whether there may be more at once.
bool SocketConnection::receive() {
  std::array<iovec, 2> into;
  std::size_t count = 0, want = 0;
  if (!answer_.empty()) {
    want = answer_.size() - received_;
    into[count++] = {answer_.data() + received_, want};
  }
  into[count++] = {head_.data() + in_head_, head_.size() - in_head_};
  want += head_.size() - in_head_;

  const int socket = socket_->descriptor.native_handle();
  const auto n = ::readv(socket, into.data(), static_cast<int>(count));
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return false;
    fail_all(failure(std::strerror(errno)), Fault::theirs);
    return false;
  }
  if (n == 0) {
    // A broker closes what has been idle for long: no reason to wait before asking it again.
    fail_all(failure("closed by the other side"), unanswered_.empty() ? Fault::ours : Fault::theirs);
    return false;
  }
  auto arrived = static_cast<std::size_t>(n);
  const bool full = arrived == want;
  const auto attempt = attempt_;
  if (!answer_.empty()) {
    const auto part = std::min(arrived, answer_.size() - received_);
    received_ += part;
    arrived -= part;
    if (received_ == answer_.size()) deliver(std::exchange(answer_, {}));
    if (attempt != attempt_) return false;
  }
  take_in(std::span<const std::byte>(head_).first(std::exchange(in_head_, 0) + arrived));
  return full && attempt == attempt_;
}

// `input` lies in head_, where what is left over for the next time is put at the beginning.
void SocketConnection::take_in(std::span<const std::byte> input) {
  const auto attempt = attempt_;
  while (input.size() >= kSizePrefix) {
    const auto announced = base::load_big_endian<std::int32_t>(input.data());
    input = input.subspan(kSizePrefix);
    if (announced < static_cast<std::int32_t>(kLeastAnswer) ||
        static_cast<std::size_t>(announced) > services_.max_answer_bytes)
      return fail_all(failure(fmt::format("an answer of {} bytes was announced, at most {} are taken", announced,
                                          services_.max_answer_bytes)),
                      Fault::theirs);
    base::Buffer answer(static_cast<std::size_t>(announced));
    const auto here = input.first(std::min(input.size(), answer.size()));
    std::memcpy(answer.data(), here.data(), here.size());
    input = input.subspan(here.size());
    if (here.size() < answer.size()) {
      answer_ = std::move(answer);
      received_ = here.size();
      return;
    }
    deliver(std::move(answer));
    if (attempt != attempt_) return;
  }
  std::memmove(head_.data(), input.data(), input.size());
  in_head_ = input.size();
}

void SocketConnection::deliver(base::Buffer answer) {
  const auto correlation_id = base::load_big_endian<std::int32_t>(answer.data());
  if (unanswered_.empty() || unanswered_.front().correlation_id != correlation_id)
    return fail_all(failure(fmt::format("an answer to {}, which was not asked next", correlation_id)), Fault::theirs);
  const auto done = std::move(unanswered_.front().done);
  unanswered_.pop_front();
  back_off_ = kFirstBackOff;
  done(std::move(answer));
}

// ---- requests ----

void SocketConnection::on_writable() {
  awaits_writable_ = false;
  write();
}

void SocketConnection::write() {
  const int socket = socket_->descriptor.native_handle();
  while (!outbox_.empty()) {
    std::array<iovec, kPiecesPerWrite> pieces;
    std::size_t count = 0;
    for (; count < std::min(outbox_.size(), pieces.size()); ++count) {
      const auto bytes = outbox_[count].bytes.subspan(count == 0 ? sent_of_first_ : 0);
      pieces[count] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const auto n = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return await_writable();
      return fail_all(failure(std::strerror(errno)), Fault::theirs);
    }
    auto sent = static_cast<std::size_t>(n) + sent_of_first_;
    while (!outbox_.empty() && sent >= outbox_.front().bytes.size()) {
      sent -= outbox_.front().bytes.size();
      outbox_.pop_front();
    }
    sent_of_first_ = sent;
  }
}

// ---- the end ----

void SocketConnection::arm_for(base::Instant deadline) {
  if (armed_for_ && *armed_for_ <= deadline) return;
  armed_for_ = deadline;
  const auto wait = deadline - services_.clock.now();
  deadline_timer_->arm(std::max(wait, base::Duration::zero()), [this] { look_at_deadlines(); });
}

// The timer is left alone while answers come in time, so it may find that it rang for nothing.
void SocketConnection::look_at_deadlines() {
  armed_for_.reset();
  if (unanswered_.empty()) return;
  const auto by_deadline = [](const Request& a, const Request& b) { return a.deadline < b.deadline; };
  const auto earliest = std::min_element(unanswered_.begin(), unanswered_.end(), by_deadline)->deadline;
  if (earliest > services_.clock.now()) return arm_for(earliest);
  fail_all(failure("no answer in time"), Fault::theirs);
}

void SocketConnection::close_socket() {
  ++attempt_;
  state_ = State::idle;
  socket_.reset();
  addresses_.clear();
  retry_timer_->cancel();
  deadline_timer_->cancel();
  armed_for_.reset();
  outbox_.clear();
  sent_of_first_ = 0;
  awaits_writable_ = false;
  in_head_ = 0;
  answer_ = {};
}

// Told from a fresh turn of the loop: whoever is in the middle of send() is not called.
void SocketConnection::fail_all(const base::Error& why, Fault fault) {
  close_socket();
  const auto now = services_.clock.now();
  if (fault == Fault::theirs) {
    not_before_ = now + back_off_;
    back_off_ = std::min(2 * back_off_, kLongestBackOff);
  }
  if (unanswered_.empty()) return;
  services_.loop.post([weak = weak_from_this(), failed = std::exchange(unanswered_, {}), why, now] {
    for (const auto& request : failed) {
      const auto self = weak.lock();
      if (!self || self->abandoned_) return;
      auto error = why;
      if (request.deadline <= now) error.code = ErrorCode::request_timed_out;
      request.done(std::move(error));
    }
  });
}

base::Error SocketConnection::failure(std::string_view what) const {
  return base::fail(ErrorCode::network_exception, "broker {} at {}:{}: {}", to_.id, to_.endpoint.host,
                    to_.endpoint.port, what);
}

}  // namespace replication
