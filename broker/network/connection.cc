#include "broker/network/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/logging.h"
#include "base/page_cache.h"

namespace broker {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kSizePrefix = 4;
// From here on the next frame's head is read alone, so that its body needs no copy: a system call (0.2 us) against
// copying up to 64 KiB (3 us).
constexpr std::size_t kLargeFrame = 16 << 10;
constexpr std::size_t kHeadBytes = 512;
// System calls per readiness, before others of the loop get their turn.
constexpr int kReadsPerTurn = 4;

const base::Logger& logger() {
  static const base::Logger instance("kafka.network.SocketServer");
  return instance;
}

}  // namespace

// The concrete executor: any_io_executor costs a tenth.
struct Connection::Socket {
  Socket(asio::io_context& context, int socket) : descriptor(context.get_executor(), socket) {}
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor;
};

Connection::Connection(ConnectionSet& set, int socket, std::size_t listener, Session session,
                       ConnectionLimits::Place place)
    : set_(set),
      listener_(listener),
      socket_(std::make_unique<Socket>(set.loop.context(), socket)),
      descriptor_(socket),
      session_(std::move(session)),
      place_(std::move(place)) {}

Connection::~Connection() = default;

void Connection::start() {
  answers_ = std::make_shared<AnswerQueue>(set_.mailbox, weak_from_this(), session_.peer());
  writer_.look_for_cold_ranges(set_.services.reads != nullptr);
  last_active = set_.services.clock.now();
  await_readable();
}

void Connection::await_readable() {
  if (std::exchange(reading_, true)) return;
  socket_->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                 [self = shared_from_this()](const boost::system::error_code& error) {
                                   self->reading_ = false;
                                   if (!error) self->on_readable();
                                 });
}

void Connection::await_writable() {
  if (std::exchange(writing_, true)) return;
  socket_->descriptor.async_wait(asio::posix::descriptor_base::wait_write,
                                 [self = shared_from_this()](const boost::system::error_code& error) {
                                   self->writing_ = false;
                                   if (!error) self->on_writable();
                                 });
}

// ---- in ----

bool Connection::may_execute() const {
  const auto& settings = set_.services.settings;
  return !ending_ && !closed_ && !waits_for_memory_ && !answers_->refused() &&
         (barrier_ == 0 || answers_->is_settled(barrier_ - 1)) &&
         answers_->unanswered() < settings.max_unanswered_requests &&
         answers_->unanswered_bytes() < settings.max_unanswered_bytes &&
         answers_->ready_bytes() + writer_.unsent_bytes() < settings.max_unsent_bytes;
}

void Connection::on_readable() {
  if (closed_) return;
  LoopMailbox::Batch batch(*set_.mailbox);
  arrived_ = set_.services.clock.now();
  last_active = arrived_;
  for (int i = 0; i < kReadsPerTurn && may_execute(); ++i)
    if (!receive()) break;
  go_on();
}

bool Connection::receive() {
  auto& scratch = set_.receive;
  const std::size_t kept = aside_.size();  // the beginning of a size, for else we would not be reading
  base::invariant(kept < kSizePrefix, "what was put aside is executed before more is read");
  if (kept > 0) std::memcpy(scratch.data(), aside_.data(), kept);
  aside_.clear();

  std::array<iovec, 2> into;
  std::size_t count = 0, want = 0;
  if (!large_.empty()) {
    want = large_.size() - large_received_;
    into[count++] = {large_.data() + large_received_, want};
  }
  const std::size_t room = expects_large_ ? kHeadBytes : scratch.size() - kept;
  into[count++] = {scratch.data() + kept, room};
  want += room;

  // recv is cheaper than the general readv, and nearly every read has one place to go to.
  const auto n = count == 1 ? ::recv(descriptor_, into[0].iov_base, into[0].iov_len, 0)
                            : ::readv(descriptor_, into.data(), static_cast<int>(count));
  if (n <= 0) {
    put_aside(scratch.bytes().first(kept));
    if (n == 0) ending_ = true;  // what it asked for is still answered: it may have closed one direction only
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) close(std::strerror(errno));
    return false;
  }
  auto arrived = static_cast<std::size_t>(n);
  const bool full = arrived == want;
  set_.counters.bytes_received.add(arrived);
  if (!large_.empty()) {
    const auto rest = std::min(arrived, large_.size() - large_received_);
    large_received_ += rest;
    arrived -= rest;
    if (large_received_ == large_.size()) finish_large_frame();
  }
  put_aside(execute_frames(scratch.bytes().first(kept + arrived)));
  return full || (!large_.empty() && expects_large_);
}

std::span<std::byte> Connection::execute_frames(std::span<std::byte> input) {
  const auto max_bytes = set_.services.settings.request_max_bytes;
  while (input.size() >= kSizePrefix && may_execute()) {
    const auto announced = base::load_big_endian<std::int32_t>(input.data());
    if (announced <= 0 || static_cast<std::size_t>(announced) > max_bytes || first_frame_) [[unlikely]] {
      const FrameSize size{.announced_bytes = announced, .max_bytes = max_bytes, .first_on_connection = first_frame_};
      if (const auto diagnosis = diagnose_frame_size(size, input)) {
        refuse(*diagnosis);
        return {};
      }
      first_frame_ = false;
    }
    const auto frame_bytes = static_cast<std::size_t>(announced);
    const auto here = input.subspan(kSizePrefix);
    expects_large_ = frame_bytes >= kLargeFrame;
    if (here.size() >= frame_bytes) {
      Frame frame(here.first(frame_bytes));
      execute(frame);
      input = here.subspan(frame_bytes);
      continue;
    }
    if (!begin_large_frame(frame_bytes)) break;
    std::memcpy(large_.data(), here.data(), here.size());
    large_received_ = here.size();
    return {};
  }
  return ending_ || answers_->refused() ? std::span<std::byte>{} : input;
}

void Connection::execute(Frame& frame) {
  set_.counters.requests.add(1);
  const auto number = answers_->next_number();
  const auto read_ahead =
      set_.services.router.handle(session_, frame, arrived_, AnswerQueue::open(answers_, frame.bytes().size()));
  if (read_ahead == ReadAhead::after_answer) barrier_ = number + 1;
}

bool Connection::begin_large_frame(std::size_t frame_bytes) {
  const auto& budget = set_.services.budget;
  if (budget->limited()) {
    // The releasing thread may be any: it only posts.
    auto wake = [mailbox = set_.mailbox, weak = weak_from_this()] {
      mailbox->post([weak] {
        const auto self = weak.lock();
        if (!self || self->closed_) return;
        self->waits_for_memory_ = false;
        self->go_on();
      });
    };
    if (!budget->take_or_wait(frame_bytes, std::move(wake))) {
      waits_for_memory_ = true;
      return false;
    }
    large_charge_ = MemoryCharge(budget, frame_bytes, MemoryCharge::AlreadyTaken{});
  }
  // A frame that may take long to arrive must not sit on memory many times its size.
  if (set_.spare.capacity() >= frame_bytes && set_.spare.capacity() / 2 <= frame_bytes) large_.swap(set_.spare);
  large_.resize(frame_bytes);
  return true;
}

void Connection::finish_large_frame() {
  Frame frame(std::exchange(large_, {}), std::exchange(large_charge_, {}));
  large_received_ = 0;
  execute(frame);
  auto buffer = frame.take_buffer();
  if (buffer.capacity() > set_.spare.capacity() && buffer.capacity() <= ConnectionSet::kSpareBytes)
    set_.spare = std::move(buffer);
}

void Connection::put_aside(std::span<const std::byte> input) {
  if (input.empty() || closed_) return;
  aside_.clear();
  aside_.append(input);
}

void Connection::go_on() {
  if (closed_) return;
  // What arrived before the connection paused comes before what is still in the socket.
  if (aside_.size() >= kSizePrefix && may_execute()) {
    LoopMailbox::Batch batch(*set_.mailbox);
    auto input = std::exchange(aside_, {});
    put_aside(execute_frames(input.bytes()));
  }
  if (closed_) return;
  if (answers_->refused() && !ending_) {
    auto reason = answers_->take_reason();
    ending_ = true;
    if (!reason.empty())
      set_.services.diagnosis.report({Cause::refused_request, std::move(reason)}, session_, set_.services.clock.now());
  }
  const bool answered = answers_->at_refusal() || (ending_ && answers_->empty());
  if (answered && writer_.unsent_bytes() == 0) return close("all answers have left");
  const bool pauses = !may_execute();
  if (pauses && !std::exchange(paused_, pauses)) set_.counters.reads_paused.add(1);
  paused_ = pauses;
  if (!pauses) await_readable();
}

void Connection::refuse(const Diagnosis& diagnosis) {
  ending_ = true;
  set_.services.diagnosis.report(diagnosis, session_, set_.services.clock.now());
}

// ---- out ----

void Connection::send_answers() {
  if (closed_) return;
  answers_->take_ready(writer_);
  if (!writing_ && !warming_) write();
  go_on();
}

void Connection::on_writable() {
  if (closed_) return;
  LoopMailbox::Batch batch(*set_.mailbox);
  last_active = set_.services.clock.now();
  write();
  go_on();
}

void Connection::write() {
  const auto outcome = writer_.write(descriptor_);
  set_.counters.bytes_sent.add(writer_.take_sent_bytes());
  switch (outcome) {
    case AnswerWriter::Outcome::drained:
      return;
    case AnswerWriter::Outcome::blocked:
    case AnswerWriter::Outcome::turn_over:
      return await_writable();
    case AnswerWriter::Outcome::cold:
      return warm_up();
    case AnswerWriter::Outcome::failed:
      return close(writer_.failure());
  }
}

void Connection::warm_up() {
  warming_ = true;
  set_.counters.cold_reads.add(1);
  set_.services.reads->submit_always([range = writer_.cold_range(), mailbox = set_.mailbox, weak = weak_from_this()] {
    base::bring_into_page_cache(range);
    mailbox->post([weak] {
      const auto self = weak.lock();
      if (!self || self->closed_) return;
      self->warming_ = false;
      self->writer_.warmed();
      self->on_writable();
    });
  });
}

// ---- the end ----

void Connection::wind_up() {
  ending_ = true;
  go_on();
}

void Connection::close(std::string_view why) {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  logger().debug("Connection from {} on listener {} closed: {}", session_.peer(), session_.listener, why);
  boost::system::error_code ignored;
  socket_->descriptor.close(ignored);
  descriptor_ = -1;
  answers_->close();
  writer_.clear();
  aside_ = {};
  large_ = {};
  large_charge_ = {};
  set_.remove(*this);
}

}  // namespace broker
