#include "broker/handlers/delete_records.h"

#include <chrono>

#include "broker/dispatch/reply.h"
#include "broker/handlers/client_wait.h"
#include "broker/internal_topics/names.h"
#include "protocol/messages/delete_records.h"

namespace broker {
namespace {

using base::ErrorCode;
using base::fail;
using base::Offset;
using protocol::DeleteRecordsRequest;
using protocol::DeleteRecordsResponse;
using replication::Partition;
using replication::RecordDeletion;
using PartitionAnswer = DeleteRecordsResponse::Topic::Partition;

void refuse(PartitionAnswer& answer, ErrorCode code) {
  answer.error_code = code;
  answer.low_watermark = base::kNoOffset;
}

// A partition whose log starts here where it should; its followers may not be there yet.
struct Deleting {
  std::shared_ptr<Partition> partition;
  Offset requested;
  std::size_t topic = 0;  // where its answer is
  std::size_t index = 0;
  std::optional<Partition::Parked> parked{};
};

// An answer on its way: it waits for the checkpoint of this broker's log starts and for the followers'. Lives on the
// loop of its connection.
class PendingDeletion final : public replication::Waiter, public std::enable_shared_from_this<PendingDeletion> {
 public:
  PendingDeletion(base::Loop& loop, AnswerSlot slot, DeleteRecordsResponse response, std::vector<Deleting> waiting,
                  std::int32_t correlation_id, std::int16_t version)
      : Waiter(&loop),
        loop_(loop),
        wait_(loop),
        slot_(std::move(slot)),
        response_(std::move(response)),
        waiting_(std::move(waiting)),
        correlation_id_(correlation_id),
        version_(version) {}

  void start(storage::LogSet& logs, base::BlockingPool& pool, std::chrono::milliseconds timeout) {
    wait_.start(
        timeout, [this] { return slot_.wanted(); }, [self = shared_from_this()] { self->give_up(); });
    pool.submit([&logs, self = shared_from_this()] {
      logs.checkpoint_log_starts();
      self->loop_.post([self] {
        self->written_ = true;
        self->look();
      });
    });
    look();
  }

 private:
  void wake() override { look(); }

  void look() {
    if (!slot_) return;
    std::erase_if(waiting_, [this](Deleting& one) { return is_settled(one); });
    if (waiting_.empty() && written_) send();
  }

  // False: parked, to be woken.
  bool is_settled(Deleting& one) {
    auto& answer = response_.topics[one.topic].partitions[one.index];
    for (;;) {
      if (one.parked) one.partition->unpark(*std::exchange(one.parked, std::nullopt));
      const auto low = one.partition->low_watermark();
      if (!low) return refuse(answer, low.error().code), true;
      if (*low >= one.requested) return answer.low_watermark = *low, true;
      if (expired_) return refuse(answer, ErrorCode::request_timed_out), true;
      one.parked = one.partition->park_deletion(one.requested, shared_from_this());
      if (one.parked) return false;
    }
  }

  void give_up() {
    expired_ = true;
    look();
  }

  void send() {
    wait_.cancel();
    slot_.fill(protocol::encode_response(correlation_id_, version_, response_));
  }

  base::Loop& loop_;
  ClientWait wait_;
  AnswerSlot slot_;
  DeleteRecordsResponse response_;
  std::vector<Deleting> waiting_;
  const std::int32_t correlation_id_;
  const std::int16_t version_;
  bool written_ = false;
  bool expired_ = false;
};

}  // namespace

void DeleteRecordsHandler::operator()(Request& request, AnswerSlot answer) const {
  DeleteRecordsRequest in;
  if (!read_body(request, answer, in)) return;
  const auto cluster = metadata_.snapshot();
  DeleteRecordsResponse out;
  std::vector<Deleting> waiting;
  for (const auto& topic : in.topics) {
    auto& topic_out = out.topics.emplace_back();
    topic_out.name = topic.name;
    for (const auto& wanted : topic.partitions) {
      auto& result = topic_out.partitions.emplace_back();
      result.partition_index = wanted.partition_index;
      const auto partition = partitions_.find(topic.name, wanted.partition_index);
      if (!cluster->find_partition(topic.name, wanted.partition_index)) {
        refuse(result, ErrorCode::unknown_topic_or_partition);
      } else if (is_internal_topic(topic.name)) {
        refuse(result, ErrorCode::invalid_topic_exception);
      } else if (!partition) {
        refuse(result, partitions_.why_absent(topic.name, wanted.partition_index));
      } else if (const auto deletion = partition->delete_records(wanted.offset); !deletion) {
        refuse(result, deletion.error().code);
      } else {
        waiting.push_back({partition, deletion->requested, out.topics.size() - 1, topic_out.partitions.size() - 1});
      }
    }
  }
  if (waiting.empty()) return reply(answer, request, out);
  std::make_shared<PendingDeletion>(*base::Loop::current(), std::move(answer), std::move(out), std::move(waiting),
                                    request.correlation_id(), request.version())
      ->start(logs_, pool_, std::chrono::milliseconds(std::max(0, in.timeout_ms)));
}

}  // namespace broker
