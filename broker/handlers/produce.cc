#include "broker/handlers/produce.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>

#include "broker/dispatch/reply.h"
#include "broker/handlers/client_wait.h"
#include "broker/handlers/leader_hint.h"
#include "broker/internal_topics/names.h"
#include "protocol/messages/produce.h"
#include "protocol/records/batch.h"
#include "storage/log/admission.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::ProduceRequest;
using protocol::ProduceResponse;
using replication::Acks;
using replication::Partition;
using PartitionAnswer = ProduceResponse::Topic::Partition;

constexpr std::int16_t kStorageErrorSince = 4;  // older clients do not know KAFKA_STORAGE_ERROR
constexpr std::int16_t kLeaderHintSince = 10;
// Tools that repair a cluster write internal topics under this client id, as with Kafka.
constexpr std::string_view kAdminClientId = "__admin_client";

bool valid_acks(std::int16_t acks) { return acks >= -1 && acks <= 1; }

void refuse(PartitionAnswer& answer, ErrorCode code, std::int16_t version) {
  if (code == ErrorCode::kafka_storage_error && version < kStorageErrorSince) code = ErrorCode::not_leader_or_follower;
  answer.error_code = code;
  answer.base_offset = base::kNoOffset;
  answer.log_append_time_ms = base::to_ms(base::kNoTimestamp);
}

// What comes out of Kafka's log as anything but these brings the log's start with it (3.9.1).
bool tells_log_start(ErrorCode code) {
  switch (code) {
    case ErrorCode::corrupt_message:
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
    case ErrorCode::kafka_storage_error:
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::unknown_topic_or_partition:
      return false;
    default:
      return true;
  }
}

void refuse(PartitionAnswer& answer, storage::Rejection rejection, std::int16_t version) {
  refuse(answer, rejection.error.code, version);
  answer.error_message = std::move(rejection.message);
  for (auto& record : rejection.record_errors)
    answer.record_errors.push_back({record.batch_index, std::move(record.message)});
}

// What was appended to one partition and may not be acknowledged yet: it waits for a flush, or for in-sync replicas.
struct Unacknowledged {
  std::shared_ptr<Partition> partition;
  base::Offset next_offset;
  base::LeaderEpoch led_since;
  std::size_t topic = 0;  // where its answer is
  std::size_t index = 0;
  std::optional<Partition::Parked> parked{};
};

// An answer on its way, of acks=all or of a topic that is flushed before it is acknowledged. Lives on the loop of its
// connection.
class PendingProduce final : public replication::Waiter, public std::enable_shared_from_this<PendingProduce> {
 public:
  PendingProduce(base::Loop& loop, AnswerSlot slot, ProduceResponse response, std::vector<Unacknowledged> waiting,
                 Acks acks, std::int32_t correlation_id, std::int16_t version)
      : Waiter(&loop),
        wait_(loop),
        slot_(std::move(slot)),
        response_(std::move(response)),
        waiting_(std::move(waiting)),
        acks_(acks),
        correlation_id_(correlation_id),
        version_(version) {}

  void start(std::chrono::milliseconds timeout) {
    wait_.start(
        timeout, [this] { return slot_.wanted(); }, [self = shared_from_this()] { self->give_up(); });
    look();
  }

 private:
  void wake() override { look(); }

  void look() {
    if (!slot_) return;
    std::vector<Unacknowledged> rest;
    for (auto& one : waiting_) {
      if (const auto verdict = verdict_on(one))
        settle(one, *verdict);
      else
        rest.push_back(std::move(one));
    }
    waiting_ = std::move(rest);
    if (waiting_.empty()) send();
  }

  // Nothing: parked, to be woken.
  std::optional<ErrorCode> verdict_on(Unacknowledged& one) {
    for (;;) {
      if (const auto verdict = one.partition->acknowledged(one.next_offset, acks_, base::kNoLeaderEpoch, one.led_since))
        return verdict;
      if (one.parked) one.partition->unpark(*one.parked);
      one.parked = one.partition->park_append(one.next_offset, acks_, shared_from_this());
      if (one.parked) return expired_ ? verdict_at_expiry(one) : std::nullopt;
      // It happened in between: the next look finds it.
    }
  }

  // The client's time is for replicas. A flush is part of the append, which takes as long as the disk does.
  std::optional<ErrorCode> verdict_at_expiry(const Unacknowledged& one) {
    if (one.parked->what == Partition::Parked::For::flush) return std::nullopt;
    one.partition->unpark(*one.parked);
    return ErrorCode::request_timed_out;
  }

  void give_up() {
    expired_ = true;
    look();
  }

  void settle(const Unacknowledged& one, ErrorCode code) {
    if (code != ErrorCode::none) refuse(response_.responses[one.topic].partition_responses[one.index], code, version_);
  }

  void send() {
    wait_.cancel();
    slot_.fill(protocol::encode_response(correlation_id_, version_, response_));
  }

  ClientWait wait_;
  AnswerSlot slot_;
  ProduceResponse response_;
  std::vector<Unacknowledged> waiting_;
  const Acks acks_;
  const std::int32_t correlation_id_;
  const std::int16_t version_;
  bool expired_ = false;
};

constexpr std::int16_t kTransactionAbortableSince = 11;
constexpr std::int32_t kLongestQuestionMs = 30'000;  // to a coordinator, whatever time the client gives

// What a producer is told when its coordinator does not know of its batch, or could not be asked. Old and new clients
// expect INVALID_PRODUCER_EPOCH of a fence, and try again after NOT_ENOUGH_REPLICAS.
// Source: AddPartitionsToTxnManager and ReplicaManager of Apache Kafka 3.9.1.
ErrorCode code_of_verification(ErrorCode code, std::int16_t version) {
  switch (code) {
    case ErrorCode::transaction_abortable:
      return version >= kTransactionAbortableSince ? code : ErrorCode::invalid_txn_state;
    case ErrorCode::producer_fenced:
      return ErrorCode::invalid_producer_epoch;
    case ErrorCode::concurrent_transactions:
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::network_exception:
    case ErrorCode::not_coordinator:
    case ErrorCode::request_timed_out:
      return ErrorCode::not_enough_replicas;
    default:
      return code;
  }
}

// What a coordinator said before anything was appended.
struct Verdict {
  bool elsewhere = false;
  ErrorCode code = ErrorCode::none;
  std::uint64_t markers = 0;  // TransactionCheck::markers from before he was asked
};
using Verdicts = std::map<base::TopicPartition, Verdict>;

// Who asks. The strings belong to the session, or to who keeps the request.
struct Asker {
  std::int32_t correlation_id;
  std::int16_t version;
  std::string_view client_id;
  std::string_view listener;
};

// Everything one request needs while its partitions are appended one after another.
struct Appending {
  const Asker& request;
  std::span<std::byte> body;
  const ProduceRequest& in;
  const Verdicts& verdicts;
  base::Timestamp now;
  const replication::ClusterMetadata& metadata;
  const replication::PartitionTable& partitions;
  const VerifyTransaction& verify;
  ProduceResponse out{};
  std::vector<Unacknowledged> waiting{};
  bool any_failed = false;

  std::span<std::byte> mutable_records(const protocol::Records& records) const {
    return body.subspan(static_cast<std::size_t>(records.view.data() - body.data()), records.view.size());
  }

  void append(const std::string& topic, const ProduceRequest::Topic::Partition& in_partition, PartitionAnswer& answer) {
    answer.index = in_partition.index;
    if (!metadata.find_partition(topic, in_partition.index))
      return refuse(answer, ErrorCode::unknown_topic_or_partition, request.version);
    if (in_partition.records.is_null) return refuse(answer, ErrorCode::invalid_record, request.version);
    if (!valid_acks(in.acks)) return refuse(answer, ErrorCode::invalid_required_acks, request.version);
    if (is_internal_topic(topic) && request.client_id != kAdminClientId)
      return refuse(answer, ErrorCode::invalid_topic_exception, request.version);
    const auto partition = partitions.find(topic, in_partition.index);
    if (!partition) return refuse(answer, partitions.why_absent(topic, in_partition.index), request.version);
    const auto acks = static_cast<Acks>(in.acks);
    const auto settings = partition->ready_to_append(acks);
    if (!settings) return refuse_append(answer, settings.error().code, *partition);

    auto admission = storage::admit({.records = mutable_records(in_partition.records),
                                     .version = request.version,
                                     .origin = storage::AppendOrigin::client,
                                     .now = now,
                                     .partition = partition->text()},
                                    (*settings)->admission);
    if (auto* rejection = std::get_if<storage::Rejection>(&admission)) {
      if (!rejection->of_request) tell_log_start(answer, rejection->error.code, *partition);
      return refuse(answer, std::move(*rejection), request.version);
    }
    auto* messages = std::get_if<storage::MessageSet>(&admission);
    const auto appended = messages ? partition->append(*messages, acks)
                                   : append_batch(*partition, std::get<storage::Admitted>(admission), acks, answer);
    if (!appended) return refuse_append(answer, appended.error().code, *partition);

    const auto& info = appended->info;
    answer.base_offset = info.base_offset;
    answer.log_append_time_ms = base::to_ms(info.log_append_time);
    answer.log_start_offset = info.log_start_offset;
    if (acks != Acks::none && (!appended->flushed || (acks == Acks::all && !appended->replicated)))
      waiting.push_back({partition, info.next_offset(), appended->led_since, out.responses.size() - 1,
                         out.responses.back().partition_responses.size() - 1});
  }

  base::Result<replication::AppendOutcome> append_batch(Partition& partition, storage::Admitted& admitted, Acks acks,
                                                        PartitionAnswer& answer) const {
    if (!verify.at_once || !admitted.producer || !admitted.producer->transactional)
      return partition.append(admitted, acks);
    const auto& producer = *admitted.producer;
    for (bool first = true;; first = false) {
      auto check = partition.check_transaction(producer.id, producer.epoch);
      auto code = ErrorCode::none;
      bool of_elsewhere = false;
      if (!check.open) {
        const auto said = first ? verdicts.find(partition.name()) : verdicts.end();
        if (said != verdicts.end()) {
          code = said->second.code;
          check.markers = said->second.markers;
          of_elsewhere = said->second.elsewhere;
        } else {  // nothing: its coordinator moved away since the request was looked through
          code = verify.at_once(*in.transactional_id, {producer.id, producer.epoch}, partition.name())
                     .value_or(ErrorCode::not_coordinator);
        }
      }
      if (code != ErrorCode::none) return not_verified(code, partition, answer);
      auto appended = partition.append(admitted, acks, {.markers = check.markers});
      if (appended || appended.error().code != ErrorCode::concurrent_transactions) return appended;
      // What was said elsewhere is old by now; the producer comes again.
      if (of_elsewhere) return not_verified(appended.error().code, partition, answer);
    }
  }

  base::Error not_verified(ErrorCode code, const Partition& partition, PartitionAnswer& answer) const {
    const auto told = code_of_verification(code, request.version);
    if (told == ErrorCode::not_enough_replicas)
      answer.error_message =
          fmt::format("Unable to verify the partition has been added to the transaction. Underlying error: {}",
                      base::error_name(code));
    return base::fail(told, "{} is not part of the transaction", partition.name());
  }

  static void tell_log_start(PartitionAnswer& answer, ErrorCode code, const Partition& partition) {
    if (tells_log_start(code)) answer.log_start_offset = partition.log_start_offset();
  }
  void refuse_append(PartitionAnswer& answer, ErrorCode code, const Partition& partition) const {
    tell_log_start(answer, code, partition);
    refuse(answer, code, request.version);
  }

  // Nobody without a transactional id writes in a transaction. One such batch refuses the whole request.
  bool wrongly_transactional() const {
    if (in.transactional_id) return false;
    for (const auto& topic : in.topic_data)
      for (const auto& partition : topic.partition_data) {
        protocol::EntryCursor cursor(partition.records.view);
        const auto first = cursor.next();
        if (first && first->is_batch() && first->batch().is_transactional()) return true;
      }
    return false;
  }

  void append_all() {
    const bool refused_whole = wrongly_transactional();
    out.responses.reserve(in.topic_data.size());
    for (const auto& topic : in.topic_data) {
      auto& topic_out = out.responses.emplace_back();
      topic_out.name = topic.name;
      topic_out.partition_responses.reserve(topic.partition_data.size());
      for (const auto& partition : topic.partition_data) {
        auto& answer = topic_out.partition_responses.emplace_back();
        if (refused_whole) {
          answer.index = partition.index;
          refuse(answer, ErrorCode::transactional_id_authorization_failed, request.version);
        } else {
          append(topic.name, partition, answer);
        }
        any_failed |= answer.error_code != ErrorCode::none;
        if (request.version >= kLeaderHintSince && wants_leader_hint(answer.error_code))
          add_leader_hint(metadata, topic.name, request.listener, answer.index, answer, out.node_endpoints);
      }
    }
  }
};

// The batches of a request about which another broker must be asked, by their producers: of honest clients there is
// one.
struct Unverified {
  Producer producer;
  std::vector<base::TopicPartition> partitions;
};
std::vector<Unverified> unverified(const ProduceRequest& in, const replication::PartitionTable& partitions,
                                   const VerifyTransaction& verify, Verdicts& verdicts) {
  std::vector<Unverified> out;
  if (!verify.ask || !in.transactional_id || !valid_acks(in.acks)) return out;
  for (const auto& topic : in.topic_data)
    for (const auto& one : topic.partition_data) {
      protocol::EntryCursor cursor(one.records.view);
      const auto first = cursor.next();
      if (!first || !first->is_batch() || !first->batch().is_transactional()) continue;
      const auto partition = partitions.find(topic.name, one.index);
      if (!partition || !partition->is_leader()) continue;
      const Producer producer{first->batch().producer_id(), first->batch().producer_epoch()};
      const auto check = partition->check_transaction(producer.id, producer.epoch);
      if (check.open) continue;
      const auto here = verify.at_once(*in.transactional_id, producer, partition->name());
      const Verdict verdict{.elsewhere = !here, .code = here.value_or(ErrorCode::none), .markers = check.markers};
      if (!verdicts.emplace(partition->name(), verdict).second || here) continue;
      auto with_it = std::ranges::find(out, producer, &Unverified::producer);
      if (with_it == out.end()) with_it = out.insert(out.end(), {producer, {}});
      with_it->partitions.push_back(partition->name());
    }
  return out;
}

// A request that waits for the word of coordinators. Lives on its connection's loop.
struct Deferred {
  Deferred(Request& request, AnswerSlot to, Verdicts asked_for)
      : kept(request.keep_frame()),
        body(request.body()),
        client_id(request.session.client_id),
        listener(request.session.listener),
        asker{request.correlation_id(), request.version(), client_id, listener},
        answer(std::move(to)),
        verdicts(std::move(asked_for)) {
    // Once more: keeping the frame may have moved it.
    const auto read = protocol::decode(std::span<const std::byte>(body), asker.version, in);
    base::invariant(read.ok(), "what could be read can be read again");
  }

  const std::shared_ptr<const void> kept;
  const std::span<std::byte> body;
  const std::string client_id;
  const std::string listener;
  const Asker asker;
  AnswerSlot answer;
  Verdicts verdicts;
  ProduceRequest in{};  // borrows from the body
  std::size_t unanswered = 0;
};

struct Arrived {
  const Asker& asker;
  std::span<std::byte> body;
  const ProduceRequest& in;
};

void append_and_answer(const ProduceServices& services, const Arrived& arrived, const Verdicts& verdicts,
                       AnswerSlot answer) {
  const auto& [asker, body, in] = arrived;
  const auto metadata = services.metadata.snapshot();
  Appending work{.request = asker,
                 .body = body,
                 .in = in,
                 .verdicts = verdicts,
                 .now = services.clock.wall(),
                 .metadata = *metadata,
                 .partitions = services.partitions,
                 .verify = services.verify};
  work.append_all();

  if (in.acks == static_cast<std::int16_t>(Acks::none)) {
    // There is no answer to carry the error: closing makes the client look at its metadata again.
    if (work.any_failed) return answer.close_connection("an acks=0 produce failed");
    return answer.skip();
  }
  if (work.waiting.empty())
    return answer.fill(protocol::encode_response(asker.correlation_id, asker.version, work.out));
  auto pending = std::make_shared<PendingProduce>(*base::Loop::current(), std::move(answer), std::move(work.out),
                                                  std::move(work.waiting), static_cast<Acks>(in.acks),
                                                  asker.correlation_id, asker.version);
  pending->start(std::chrono::milliseconds(std::max(0, in.timeout_ms)));
}

void ask_first(const std::shared_ptr<const ProduceServices>& services, Request& request, AnswerSlot answer,
               const std::vector<Unverified>& open, Verdicts verdicts) {
  request.hold_the_next();
  auto deferred = std::make_shared<Deferred>(request, std::move(answer), std::move(verdicts));
  deferred->unanswered = open.size();
  const std::chrono::milliseconds timeout(std::clamp(deferred->in.timeout_ms, 0, kLongestQuestionMs));
  for (const auto& [producer, partitions] : open)
    services->verify.ask(
        *deferred->in.transactional_id, producer, partitions, timeout,
        [services, deferred, asked = partitions, loop = base::Loop::current()](const std::vector<ErrorCode>& codes) {
          loop->post([services, deferred, asked, codes] {
            for (std::size_t i = 0; i < asked.size(); ++i) deferred->verdicts[asked[i]].code = codes.at(i);
            if (--deferred->unanswered > 0) return;
            append_and_answer(*services, {deferred->asker, deferred->body, deferred->in}, deferred->verdicts,
                              std::move(deferred->answer));
          });
        });
}

}  // namespace

void ProduceHandler::operator()(Request& request, AnswerSlot answer) const {
  ProduceRequest in;
  if (!read_body(request, answer, in)) return;
  Verdicts verdicts;
  if (const auto open = unverified(in, services_->partitions, services_->verify, verdicts); !open.empty())
    return ask_first(services_, request, std::move(answer), open, std::move(verdicts));
  const Asker asker{request.correlation_id(), request.version(), request.session.client_id, request.session.listener};
  append_and_answer(*services_, {asker, request.body(), in}, verdicts, std::move(answer));
}

}  // namespace broker
