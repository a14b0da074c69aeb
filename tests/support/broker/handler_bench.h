// Handlers without sockets: a request is encoded, handled on a loop, and its answer decoded.
#pragma once

#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "broker/dispatch/api_table.h"
#include "protocol/codec.h"
#include "replication/cluster/metadata.h"
#include "tests/support/broker/loopback.h"
#include "tests/support/replication/replica_bench.h"

namespace broker::test {

// An answer that may still be to come.
class Awaited final : public AnswerReceiver {
 public:
  void answered(std::shared_ptr<AnswerReceiver>, std::uint64_t, Answer answer) override {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(answer);
  }
  void forgotten(std::shared_ptr<AnswerReceiver> self, std::uint64_t number) override {
    answered(std::move(self), number, Answer::closing("forgotten"));
  }
  bool wanted() const override { return !gone; }

  bool is_there() const {
    absl::MutexLock lock(&mutex_);
    return answer_.has_value();
  }
  // At most ten seconds.
  Answer get() {
    absl::MutexLock lock(&mutex_);
    const auto there = [this] { return answer_.has_value(); };
    base::invariant(mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10)), "an answer comes");
    return std::move(*answer_);
  }

  std::atomic<bool> gone{false};  // the client is

 private:
  mutable absl::Mutex mutex_;
  std::optional<Answer> answer_ ABSL_GUARDED_BY(mutex_);
};

struct HandlerBench : test_support::ReplicaBench {
  explicit HandlerBench(std::size_t directories = 1) : ReplicaBench(directories) {
    loop.start();
    pool.start();
    session.listener = "PLAINTEXT";
    brokers = {broker(test_support::kSelf)};
  }
  ~HandlerBench() {
    replicas->stop_all();
    run_on_loop([] {});  // whoever was woken has answered
    pool.stop();
    loop.stop();
  }

  static replication::LiveBroker broker(base::BrokerId id) {
    return {.id = id,
            .endpoints = {{.listener = "PLAINTEXT",
                           .security_protocol = "PLAINTEXT",
                           .host = "host" + std::to_string(id.raw),
                           .port = 9092}}};
  }

  // Led here, and everybody knows.
  std::shared_ptr<replication::Partition> announce(const Told& told) {
    tell_metadata(told);
    return lead(told);
  }
  void tell_metadata(const Told& told) {
    metadata.update([&](replication::ClusterMetadata& cluster) {
      cluster.apply({.from = {.controller = test_support::kSelf}, .partitions = {state(told)}, .brokers = brokers});
    });
  }

  void run_on_loop(const std::function<void()>& work) {
    absl::Notification done;
    loop.post([&] {
      work();
      done.Notify();
    });
    done.WaitForNotification();
  }

  // Behind what was submitted before.
  void run_on_pool(const std::function<void()>& work) {
    absl::Notification done;
    pool.submit([&] {
      work();
      done.Notify();
    });
    done.WaitForNotification();
  }

  template <class M>
  std::shared_ptr<Awaited> send(const Handler& handler, const M& message, std::int16_t version) {
    auto awaited = std::make_shared<Awaited>();
    auto bytes = base::flatten(protocol::encode_body(version, message)).value();
    run_on_loop([&] {
      Frame frame(bytes.bytes());
      Request request({M::api.key, version, 7, session.client_id}, session, base::Instant{}, frame, 0, budget);
      handler(request, AnswerSlot(awaited, 0));
      held_the_next = request.holds_the_next();
    });
    return awaited;
  }

  template <class Response>
  static Response decode(Answer answer, std::int16_t version) {
    base::invariant(answer.kind == Answer::Kind::frame, "an answer with a frame");
    const std::size_t header = protocol::response_header_version(Response::api, version) == 0 ? 8 : 9;
    kept.push_back(base::flatten(answer.frame).value());  // records borrow from it
    Response out;
    const auto decoded =
        protocol::decode(std::span<const std::byte>(kept.back().bytes()).subspan(header), version, out);
    base::invariant(decoded.ok(), "an answer can be read");
    return out;
  }

  template <class Response, class M>
  Response ask(const Handler& handler, const M& message, std::int16_t version) {
    return decode<Response>(send(handler, message, version)->get(), version);
  }

  static inline std::vector<base::Buffer> kept;
  std::vector<replication::LiveBroker> brokers;
  base::Loop loop{"handlers"};
  base::BlockingPool pool{1, "handlers-io"};
  DiskReads reads{pool, {.at_once = 1, .waiting = 2}};
  std::shared_ptr<MemoryBudget> budget = std::make_shared<MemoryBudget>(-1);
  Session session;
  bool held_the_next = false;  // whether the last request did
};

}  // namespace broker::test
