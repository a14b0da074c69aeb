#include "tests/simulation/network.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"

namespace simulation {

using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {
constexpr std::size_t kSizePrefix = 4;
}

// ---- the server's end
// ------------------------------------------------------------------------------------------------

// Takes frames on its loop, and answers in their order.
class Wire::ServerEnd final : public broker::AnswerReceiver, public std::enable_shared_from_this<ServerEnd> {
 public:
  ServerEnd(const std::shared_ptr<Wire>& wire, const Service& service, base::Loop& loop)
      : wire_(wire), service_(service), loop_(loop) {
    session_.listener = "PLAINTEXT";
    session_.peer_address = "10.0.0." + std::to_string(wire->from_ % 250);
  }

  void receive(Bytes bytes) {
    loop_.post([self = shared_from_this(), bytes = std::move(bytes)] {
      if (self->wanted()) self->handle(bytes->bytes().subspan(kSizePrefix));
    });
  }

  void answered(std::shared_ptr<AnswerReceiver>, std::uint64_t number, broker::Answer answer) override {
    settled_[number] = std::move(answer);
    while (!settled_.empty() && settled_.begin()->first == next_to_send_) {
      ++next_to_send_;
      auto next = std::move(settled_.extract(settled_.begin()).mapped());
      const auto wire = wire_.lock();
      if (!wire || !wanted()) continue;
      if (next.kind == broker::Answer::Kind::close) {
        wire->reset(false);
      } else if (next.kind == broker::Answer::Kind::frame) {
        auto flat = base::flatten(next.frame);
        if (flat)
          wire->answer(std::make_shared<base::Buffer>(std::move(*flat)));
        else
          wire->reset(false);
      }
    }
  }
  void forgotten(std::shared_ptr<AnswerReceiver> self, std::uint64_t number) override {
    answered(std::move(self), number, broker::Answer::closing("forgotten"));
  }
  bool wanted() const override {
    const auto wire = wire_.lock();
    return wire && wire->is_open() && wire->server_.get() == this;
  }

 private:
  void handle(std::span<const std::byte> payload) {
    base::Buffer own;
    own.append(payload);
    broker::Frame frame(std::move(own), {});
    service_.router->handle(session_, frame, service_.clock->now(), broker::AnswerSlot(shared_from_this(), opened_++));
  }

  const std::weak_ptr<Wire> wire_;
  const Service service_;
  base::Loop& loop_;
  broker::Session session_;
  std::uint64_t opened_ = 0;
  std::uint64_t next_to_send_ = 0;
  std::map<std::uint64_t, broker::Answer> settled_;
};

// ---- the way between
// -------------------------------------------------------------------------------------------------

void Wire::carry(Way& way, std::function<void()> arrive) {
  const auto now = network_.scheduler_.now();
  way.last = std::max(way.last + base::Duration{1}, now + network_.delay());
  network_.scheduler_.after(way.last - now, [self = shared_from_this(), &way, arrive = std::move(arrive)] {
    if (!self->open_) return;
    if (self->network_.is_cut(way.from, way.to))
      way.held.push_back(arrive);
    else
      arrive();
  });
}

void Wire::send(Bytes frame) {
  carry(there_, [this, frame = std::move(frame)] { arrived(frame); });
}

void Wire::arrived(Bytes frame) {
  const auto listening = network_.services_.find(to_);
  const bool there = listening != network_.services_.end();
  if (!there && network_.vanished_.contains(to_)) return;  // nobody to refuse it
  if (!there || (service_ != 0 && listening->second.life != service_)) return reset(false);
  if (service_ == 0) {
    service_ = listening->second.life;
    const auto& service = listening->second.service;
    server_ = std::make_shared<ServerEnd>(shared_from_this(), service,
                                          *service.loops[network_.dice_.below(service.loops.size())]);
  }
  server_->receive(std::move(frame));
}

void Wire::answer(Bytes frame) {
  carry(back_, [this, frame = std::move(frame)] {
    if (client_.answered) client_.answered(frame);
  });
}

void Wire::close() {
  open_ = false;
  client_ = {};
  there_.held.clear();
  back_.held.clear();
}

void Wire::reset(bool silently) {
  if (!std::exchange(open_, false)) return;
  there_.held.clear();
  back_.held.clear();
  if (silently) return;
  network_.scheduler_.after(network_.delay(), [self = shared_from_this()] {
    if (self->client_.broken) self->client_.broken();
  });
}

// ---- the network
// -----------------------------------------------------------------------------------------------------

base::Duration SimNetwork::delay() {
  auto delay = dice_.between(microseconds(50), microseconds(400));
  if (dice_.one_in(40)) delay = dice_.between(milliseconds(1), milliseconds(20));
  if (dice_.one_in(1500)) delay = dice_.between(milliseconds(20), milliseconds(400));
  return delay * slowness_;
}

std::vector<std::shared_ptr<Wire>> SimNetwork::wires() {
  std::vector<std::shared_ptr<Wire>> open;
  std::vector<std::weak_ptr<Wire>> left;
  for (auto& weak : wires_)
    if (auto wire = weak.lock(); wire && wire->is_open()) {
      open.push_back(std::move(wire));
      left.push_back(std::move(weak));
    }
  wires_ = std::move(left);
  return open;
}

std::shared_ptr<Wire> SimNetwork::open(HostId from, HostId to, Wire::Client client) {
  auto wire = std::make_shared<Wire>(*this, from, to, std::move(client));
  // The handshake: as long as two messages more.
  wire->there_.last = scheduler_.now() + delay() + delay();
  if (wires_.size() > 64) (void)wires();
  wires_.push_back(wire);
  return wire;
}

void SimNetwork::listen(HostId host, Service service) {
  vanished_.erase(host);
  services_.insert_or_assign(host, Listening{++lives_, std::move(service)});
}

void SimNetwork::stop_listening(HostId host, End end) {
  services_.erase(host);
  if (end == End::vanished) vanished_.insert(host);
  for (const auto& wire : wires()) {
    if (wire->from_ == host) wire->close();
    if (wire->to_ == host && wire->server_) {
      wire->server_.reset();
      if (end == End::closed) wire->reset(false);
    }
  }
}

void SimNetwork::mend(HostId from, HostId to) {
  if (cuts_.erase({from, to}) == 0) return;
  for (const auto& wire : wires())
    for (auto* way : {&wire->there_, &wire->back_}) {
      if (way->from != from || way->to != to || way->held.empty()) continue;
      if (dice_.percent(30)) {
        wire->reset(false);
        break;
      }
      // At once: what was sent after them and is still on its way must not overtake them.
      for (const auto& message : std::exchange(way->held, {}))
        if (wire->is_open()) message();
    }
}

void SimNetwork::reset(HostId one, HostId other) {
  for (const auto& wire : wires())
    if ((wire->from_ == one && wire->to_ == other) || (wire->from_ == other && wire->to_ == one)) wire->reset(false);
}

// ---- the client's end
// ------------------------------------------------------------------------------------------------

namespace {

class SimPeerConnection final : public replication::PeerConnection {
 public:
  SimPeerConnection(SimNetwork& network, HostId self, HostId to, base::Loop& loop, const base::Clock& clock,
                    std::string client_id, std::shared_ptr<const bool> ended)
      : PeerConnection(std::move(client_id)),
        network_(network),
        self_(self),
        to_(to),
        loop_(loop),
        clock_(clock),
        ended_(std::move(ended)),
        timer_(loop.make_timer()) {}
  ~SimPeerConnection() override {
    if (wire_) wire_->close();
  }

  void send(std::int32_t, base::BufferChain frame, base::Duration timeout, Done done) override {
    auto bytes = base::flatten(frame);
    base::invariant(bytes.ok(), "a request lies in memory");
    asked_.push_back({clock_.now() + timeout, std::move(done)});
    if (*ended_) return disconnect();
    if (!wire_) open_wire();
    wire_->send(std::make_shared<base::Buffer>(std::move(*bytes)));
    watch_time();
  }

  void disconnect() override { fail_all(base::ErrorCode::network_exception, asked_.size()); }

 private:
  struct Asked {
    base::Instant deadline;
    Done done;
  };

  void open_wire() {
    const auto generation = ++generation_;
    const auto on_loop = [this, generation, alive = std::weak_ptr(alive_)](std::function<void()> work) {
      if (alive.expired()) return;
      loop_.post([this, generation, alive, work = std::move(work)] {
        if (!alive.expired() && generation == generation_) work();
      });
    };
    wire_ = network_.open(
        self_, to_,
        {.answered = [this, on_loop](Wire::Bytes bytes) { on_loop([this, bytes] { answered(*bytes); }); },
         .broken = [this,
                    on_loop] { on_loop([this] { fail_all(base::ErrorCode::network_exception, asked_.size()); }); }});
  }

  void answered(const base::Buffer& frame) {
    if (asked_.empty()) return disconnect();
    auto asked = std::move(asked_.front());
    asked_.pop_front();
    base::Buffer payload;
    payload.append(frame.bytes().subspan(kSizePrefix));
    asked.done(std::move(payload));
  }

  // The `first` ones fail with `code`, those behind them because of that.
  void fail_all(base::ErrorCode code, std::size_t first) {
    if (wire_) std::exchange(wire_, nullptr)->close();
    ++generation_;
    timer_->cancel();
    watched_ = {};
    auto failed = std::exchange(asked_, {});
    for (std::size_t i = 0; i < failed.size(); ++i)
      loop_.post([alive = std::weak_ptr(alive_), done = std::move(failed[i].done),
                  why = i < first ? code : base::ErrorCode::network_exception] {
        if (!alive.expired()) done(base::fail(why, "no answer"));
      });
  }

  void watch_time() {
    const auto first = std::ranges::min_element(asked_, {}, &Asked::deadline)->deadline;
    if (watched_ && *watched_ <= first) return;
    watched_ = first;
    timer_->arm(first - clock_.now(), [this] {
      watched_ = {};
      const auto now = clock_.now();
      if (std::ranges::any_of(asked_, [&](const auto& one) { return one.deadline <= now; }))
        fail_all(base::ErrorCode::request_timed_out, 1);
      else if (!asked_.empty())
        watch_time();
    });
  }

  SimNetwork& network_;
  const HostId self_;
  const HostId to_;
  base::Loop& loop_;
  const base::Clock& clock_;
  const std::shared_ptr<const bool> ended_;
  const std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::unique_ptr<base::Timer> timer_;
  std::optional<base::Instant> watched_;
  std::shared_ptr<Wire> wire_;
  std::uint64_t generation_ = 0;
  std::deque<Asked> asked_;
};

}  // namespace

std::unique_ptr<replication::PeerConnection> SimPeers::connect(replication::PeerAddress to, base::Loop& loop,
                                                               replication::PeerOptions options) {
  return std::make_unique<SimPeerConnection>(network_, self_, to.id.raw, loop, clock_, std::move(options.client_id),
                                             ended_);
}

}  // namespace simulation
