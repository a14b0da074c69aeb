#include "broker/handlers/fetch.h"

#include <chrono>
#include <optional>
#include <utility>

#include "broker/dispatch/reply.h"
#include "broker/handlers/client_wait.h"
#include "broker/handlers/leader_hint.h"
#include "protocol/messages/fetch.h"
#include "protocol/records/convert.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;
using replication::Isolation;
using replication::Partition;
using replication::ReadOutcome;
using replication::ReadRequest;
using PartitionAnswer = FetchResponse::Topic::Partition;

// What versions of Fetch brought; see the version steps of the API.
constexpr std::int16_t kMagic1Since = 2;
constexpr std::int16_t kMaxBytesSince = 3;
constexpr std::int16_t kMagic2Since = 4;
constexpr std::int16_t kStorageErrorSince = 6;
constexpr std::int16_t kZstdSince = 10;
constexpr std::int16_t kFromFollowersSince = 11;
constexpr std::int16_t kLeaderHintSince = 16;

// So often the disk is waited for elsewhere. Pages that are evicted faster than they can be used must not send us round
// in circles.
constexpr int kColdRounds = 8;

constexpr std::int8_t kReadUncommitted = 0;
constexpr std::int8_t kReadCommitted = 1;

// A fetch from its arrival to its answer. Lives on the loop of its connection.
class FetchOperation final : public replication::Waiter, public std::enable_shared_from_this<FetchOperation> {
 public:
  FetchOperation(const FetchServices& services, const Request& request, const FetchRequest& in, FetchContext context,
                 AnswerSlot slot)
      : Waiter(base::Loop::current()),
        services_(services),
        loop_(*base::Loop::current()),
        slot_(std::move(slot)),
        context_(std::move(context)),
        listener_(request.session.listener),
        correlation_id_(request.correlation_id()),
        version_(request.version()),
        replica_(in.replica_state ? in.replica_state->replica_id : in.replica_id),
        replica_epoch_(in.replica_state ? in.replica_state->replica_epoch : -1),
        rack_(in.rack_id),
        isolation_level_(in.isolation_level),
        min_bytes_(in.min_bytes),
        max_bytes_(version_ >= kMaxBytesSince ? std::min(in.max_bytes, services.max_answer_bytes)
                                              : services.max_answer_bytes),
        max_wait_(std::chrono::milliseconds(in.max_wait_ms)) {}

  void start() {
    read_all();
    if (waits_for_disk()) return;
    const bool nothing_asked = context_.partitions.empty() && !context_.session;
    if (answer_now_ || time_is_up_ || max_wait_.count() <= 0 || nothing_asked || bytes_ >= min_bytes_) return answer();
    if (!wait_) {
      wait_.emplace(loop_);
      wait_->start(
          max_wait_, [this] { return slot_.wanted(); }, [self = shared_from_this()] { self->give_up_waiting(); });
    }
    park();
  }

 private:
  void wake() override { look_again(); }

  // One partition while it is being read.
  struct Read {
    replication::ClusterMetadata::Topic topic;  // of requests by id; null when that is not known
    std::shared_ptr<Partition> partition;       // null: nothing to wait for
    base::Offset bound;
    bool at_end = false;     // and not only at the limit of this answer
    bool held_back = false;  // by a throttle: nobody wakes it
    std::optional<Partition::Parked> parked;
    PartitionAnswer answer;
  };

  bool is_follower() const { return replica_.raw >= 0; }
  Isolation isolation() const {
    if (is_follower() || replica_ == replication::kDebuggingConsumer) return Isolation::log_end;
    return isolation_level_ == kReadCommitted ? Isolation::last_stable : Isolation::high_watermark;
  }

  // All is looked up again once the disk has been read. Where too many wait for that, the answer says what is known,
  // and the client comes again as it always does.
  bool waits_for_disk() {
    if (cold_.empty()) return false;
    ++cold_rounds_;
    auto work = [self = shared_from_this(), cold = std::exchange(cold_, {})] {
      for (const auto& bring_in : cold) bring_in();
      self->loop_.post([self] { self->look_again(); });
    };
    if (services_.reads.submit(std::move(work))) return true;
    answer_now_ = true;
    return false;
  }

  void read_all() {
    const auto metadata = services_.metadata.snapshot();
    reads_.clear();
    reads_.reserve(context_.partitions.size());
    bytes_ = 0;
    throttled_bytes_ = 0;
    over_limit_ = is_follower() && services_.throttle && services_.throttle->wait() > base::Duration::zero();
    answer_now_ = false;
    // The first partition with data gives a whole batch however large, so that a consumer can always get on.
    bool whole_batch = version_ >= kMaxBytesSince;
    for (std::size_t i = 0; i < context_.partitions.size(); ++i) {
      const auto& wanted = context_.partitions[i];
      auto& read = reads_.emplace_back();
      const auto left = static_cast<std::size_t>(std::max<std::int64_t>(0, max_bytes_ - bytes_));
      const auto max_bytes = std::min(left, static_cast<std::size_t>(std::max(0, wanted->max_bytes)));
      const auto code = read_one(*metadata, i, {max_bytes, whole_batch, cold_rounds_ >= kColdRounds}, read);
      if (code != ErrorCode::none) {
        refuse(read.answer, code);
        answer_now_ = true;
      }
      const auto size = read.answer.records.size_bytes();
      bytes_ += static_cast<std::int64_t>(size);
      if (size > 0) whole_batch = false;
    }
  }

  ErrorCode read_one(const replication::ClusterMetadata& metadata, std::size_t i, storage::ReadLimits limits,
                     Read& read) {
    const auto& wanted = *context_.partitions[i];
    if (context_.uses_topic_ids) {
      read.topic = metadata.find_topic(wanted.topic_id);
      if (!read.topic) return ErrorCode::unknown_topic_id;
    }
    if (isolation_level_ != kReadUncommitted && isolation_level_ != kReadCommitted)
      return ErrorCode::unknown_server_error;
    const auto& topic = read.topic ? read.topic->name : wanted.topic;
    if (!metadata.find_partition(topic, wanted.partition)) return ErrorCode::unknown_topic_or_partition;
    const auto partition = services_.partitions.find(topic, wanted.partition);
    if (!partition) return services_.partitions.why_absent(topic, wanted.partition);
    std::shared_ptr<const replication::PartitionSettings> settings;  // of interest to old clients only
    if (version_ < kZstdSince) settings = partition->settings();
    if (settings && settings->compresses_zstd) return ErrorCode::unsupported_compression_type;

    context_.about_to_read(i, partition);
    ReadRequest request{.from = wanted.fetch_offset,
                        .current_leader_epoch = wanted.current_leader_epoch,
                        .last_fetched_epoch = wanted.last_fetched_epoch,
                        .isolation = isolation(),
                        .limits = limits,
                        .also_from_follower = !is_follower() && version_ >= kFromFollowersSince};
    if (is_follower())
      request.follower = {.replica = replica_,
                          .broker_epoch = replica_epoch_,
                          .log_start = wanted.follower_log_start,
                          .session = context_.watch_of(i),
                          .over_limit = over_limit_};
    const auto preferred = preferred_replica(metadata, *partition, wanted);
    if (preferred) request.limits = {.max_bytes = 0, .at_least_one_batch = false, .may_wait = limits.may_wait};
    auto outcome = partition->read(request);
    if (!outcome) return outcome.error().code;
    if (version_ < kMagic2Since && !settings->down_conversion && outcome->slice.records.size_bytes > 0)
      return ErrorCode::unsupported_version;
    if (outcome->bring_in) cold_.push_back(std::move(outcome->bring_in));
    read.partition = partition;
    read.bound = outcome->bound;
    read.at_end = wanted.fetch_offset >= outcome->bound && !outcome->diverging_epoch;
    read.held_back = outcome->held_back;
    if (outcome->throttled) throttled_bytes_ += outcome->slice.records.size_bytes;
    fill(read.answer, std::move(*outcome));
    if (preferred) {
      read.answer.preferred_read_replica = *preferred;
      answer_now_ = true;
    }
    return ErrorCode::none;
  }

  // Where a consumer finds this partition nearer by.
  std::optional<base::BrokerId> preferred_replica(const replication::ClusterMetadata& metadata,
                                                  const Partition& partition, const FetchedPartition& wanted) const {
    if (!services_.prefers_rack || rack_.empty() || is_follower() || version_ < kFromFollowersSince) return {};
    auto replicas = partition.readable_replicas(wanted.fetch_offset);
    for (auto& replica : replicas)
      if (const auto* broker = metadata.find_broker(replica.id)) replica.rack = broker->rack;
    return replication::preferred_replica(replicas, rack_);
  }

  void fill(PartitionAnswer& answer, ReadOutcome outcome) {
    answer.high_watermark = outcome.high_watermark;
    answer.last_stable_offset = outcome.last_stable;
    answer.log_start_offset = outcome.log_start;
    if (isolation() == Isolation::last_stable) {
      auto& aborted = answer.aborted_transactions.emplace();
      for (const auto& txn : outcome.aborted) aborted.push_back({txn.producer_id, txn.first_offset});
    }
    if (const auto& diverging = outcome.diverging_epoch)
      answer.diverging_epoch = PartitionAnswer::DivergingEpoch{.epoch = diverging->epoch, .end_offset = diverging->end};
    answer_now_ |= outcome.catching_up || outcome.diverging_epoch;
    answer.records.pieces.append(std::move(outcome.slice.records));
  }

  void refuse(PartitionAnswer& answer, ErrorCode code) {
    if (code == ErrorCode::kafka_storage_error && version_ < kStorageErrorSince)
      code = ErrorCode::not_leader_or_follower;
    answer = PartitionAnswer{};  // its partition is named when it is sent
    answer.error_code = code;
    answer.high_watermark = base::kNoOffset;
  }

  void park() {
    const auto self = shared_from_this();
    if (context_.session) {
      if (!context_.wait(outcomes(), self)) replication::wake_all({self});  // one of them got further meanwhile
      return;
    }
    for (auto& read : reads_) {
      if (!read.partition || read.held_back) continue;
      read.parked = read.partition->park(isolation(), read.bound, self);
      if (!read.parked) return replication::wake_all({self});  // it got further meanwhile
    }
  }
  void unpark() {
    if (context_.session) return context_.stop_waiting(*this);
    for (auto& read : reads_)
      if (read.parked) read.partition->unpark(*std::exchange(read.parked, std::nullopt));
  }

  // What the last look found still holds: nothing has woken us since. Only followers are not woken for everything they
  // are to be told.
  void give_up_waiting() {
    time_is_up_ = true;
    if (is_follower() && context_.session) return look_again();
    answer();
  }

  void look_again() {
    if (answered_) return;
    unpark();
    if (!slot_.wanted()) return answer();
    context_.look();
    start();
  }

  void answer() {
    if (std::exchange(answered_, true)) return;
    if (wait_) wait_->cancel();
    unpark();
    if (version_ < kMagic2Since && bytes_ > 0 && slot_.wanted()) return convert_when_there_is_room();
    send();
  }

  // What was converted stays in memory until the client has taken it, so it waits until others have taken theirs. From
  // here on all but answered_ belongs to the pool.
  void convert_when_there_is_room() {
    const auto self = shared_from_this();
    const auto to_pool = [self](auto work) { self->services_.pool.submit([self, work] { work(*self); }); };
    const auto bytes = static_cast<std::size_t>(bytes_);
    const bool room = services_.converted->take_or_wait(
        bytes, [to_pool] { to_pool([](FetchOperation& fetch) { fetch.convert_when_there_is_room(); }); });
    if (!room) return;
    auto charge = std::make_shared<const MemoryCharge>(services_.converted, bytes, MemoryCharge::AlreadyTaken{});
    to_pool([charge = std::move(charge)](FetchOperation& fetch) {
      if (fetch.slot_.wanted()) fetch.convert_all(charge);
      fetch.send();
    });
  }

  // On the pool: old clients get the format they know. As in Kafka a partition's records become no more bytes than they
  // were in the log, except that one entry is always whole; and what that costs, those behind it do without.
  void convert_all(const std::shared_ptr<const MemoryCharge>& charge) {
    struct Charged {
      base::Slice bytes;
      std::shared_ptr<const MemoryCharge> charge;
    };
    auto left = static_cast<std::size_t>(bytes_);
    for (std::size_t i = 0; i < reads_.size(); ++i) {
      auto& answer = reads_[i].answer;
      const auto stored = std::exchange(answer.records.pieces, {});
      if (stored.empty() || left == 0) continue;
      auto entries = base::flatten(stored);
      if (!entries) {
        refuse(answer, entries.error().code);
        continue;
      }
      auto converted = protocol::down_convert(entries->bytes(),
                                              {.to_magic = static_cast<std::int8_t>(version_ >= kMagic1Since ? 1 : 0),
                                               .first_offset = context_.partitions[i]->fetch_offset,
                                               .max_bytes = std::min(left, stored.size_bytes())});
      if (!converted) {
        refuse(answer, converted.error().code);
        continue;
      }
      left -= std::min(left, converted->size());
      auto charged = std::make_shared<const Charged>(Charged{std::move(*converted).share(), charge});
      const auto bytes = charged->bytes.bytes;
      answer.records.pieces.append(base::Slice{std::move(charged), bytes});
    }
  }

  std::vector<FetchContext::Outcome> outcomes() const {
    std::vector<FetchContext::Outcome> out;
    out.reserve(reads_.size());
    for (const auto& read : reads_) out.push_back({&read.answer, read.at_end});
    return out;
  }

  void send() {
    FetchResponse response;
    response.session_id = context_.answered_session_id;
    if (isolation_level_ != kReadUncommitted && isolation_level_ != kReadCommitted)
      response.error_code = ErrorCode::unknown_server_error;
    const auto kept = context_.keep_news(outcomes());
    if (services_.throttle) services_.throttle->record(throttled_bytes_);
    if (bytes_ > 0) services_.record_bytes->add(static_cast<std::uint64_t>(bytes_));
    for (std::size_t i = 0; i < reads_.size(); ++i)
      if (kept[i]) add(response, *context_.partitions[i], reads_[i]);
    reads_.clear();
    slot_.fill(protocol::encode_response(correlation_id_, version_, response));
  }

  void add(FetchResponse& response, const FetchedPartition& wanted, Read& read) {
    auto& answer = read.answer;
    auto& topics = response.responses;
    const bool same = !topics.empty() && (context_.uses_topic_ids ? topics.back().topic_id == wanted.topic_id
                                                                  : topics.back().topic == wanted.topic);
    if (!same) {
      auto& topic = topics.emplace_back();
      topic.topic = wanted.topic;
      topic.topic_id = wanted.topic_id;
    }
    answer.partition_index = wanted.partition;
    if (version_ >= kLeaderHintSince && wants_leader_hint(answer.error_code))
      add_leader_hint(*services_.metadata.snapshot(), read.topic ? read.topic->name : wanted.topic, listener_,
                      wanted.partition, answer, response.node_endpoints);
    topics.back().partitions.push_back(std::move(answer));
  }

  const FetchServices& services_;
  base::Loop& loop_;
  AnswerSlot slot_;
  FetchContext context_;
  const std::string listener_;
  const std::int32_t correlation_id_;
  const std::int16_t version_;
  const base::BrokerId replica_;
  const std::int64_t replica_epoch_;
  const std::string rack_;
  const std::int8_t isolation_level_;
  const std::int64_t min_bytes_;
  const std::int64_t max_bytes_;
  const std::chrono::milliseconds max_wait_;

  std::optional<ClientWait> wait_;  // while parked
  std::vector<Read> reads_;         // parallel to context_.partitions
  std::int64_t bytes_ = 0;
  std::size_t throttled_bytes_ = 0;  // of those
  bool over_limit_ = false;          // leader.replication.throttled.rate
  bool answer_now_ = false;
  bool time_is_up_ = false;
  bool answered_ = false;
  std::vector<storage::BringIn> cold_;  // what the last look would have had to wait for
  int cold_rounds_ = 0;
};

}  // namespace

void FetchHandler::operator()(Request& request, AnswerSlot answer) const {
  FetchRequest in;
  if (!read_body(request, answer, in)) return;
  auto context = services_.sessions.open(in, request.version());
  if (!context) {
    FetchResponse refused;
    refused.error_code = context.error().code;
    return reply(answer, request, refused);
  }
  std::make_shared<FetchOperation>(services_, request, in, std::move(*context), std::move(answer))->start();
}

}  // namespace broker
