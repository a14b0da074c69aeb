#include "broker/peers/allocated_ids.h"

#include <chrono>
#include <utility>

#include "protocol/messages/allocate_producer_ids.h"

namespace broker {

using protocol::AllocateProducerIdsRequest;
using protocol::AllocateProducerIdsResponse;
using replication::ProducerIdBlockNode;

namespace {

// A client waits for it, and asks again.
constexpr std::chrono::milliseconds kTimeout{3000};

base::Result<ProducerIdBlockNode> block_of(
    base::BrokerId self, const base::Result<replication::PeerAnswer<AllocateProducerIdsResponse>>& answer) {
  if (!answer) return answer.error();
  const auto& told = answer->message;
  if (told.error_code != base::ErrorCode::none)
    return base::fail(told.error_code, "the controller gives no producer ids: {}", base::error_name(told.error_code));
  if (told.producer_id_start < 0 || told.producer_id_len <= 0)
    return base::fail(base::ErrorCode::unknown_server_error, "the controller gave {} producer ids from {} on",
                      told.producer_id_len, told.producer_id_start);
  return ProducerIdBlockNode{
      .broker = self, .first = told.producer_id_start, .last = told.producer_id_start + told.producer_id_len - 1};
}

}  // namespace

replication::ProducerIdBlocks allocated_producer_ids(base::BrokerId self, OtherBrokers& others,
                                                     const replication::MetadataCache& metadata,
                                                     replication::ProducerIdBlocks stored,
                                                     std::function<std::int64_t()> broker_epoch) {
  return [=, &others, &metadata](std::function<void(base::Result<ProducerIdBlockNode>)> done) {
    if (metadata.snapshot()->controller() == self) return stored(std::move(done));
    AllocateProducerIdsRequest request;
    request.broker_id = self;
    request.broker_epoch = broker_epoch();
    others.ask_controller<AllocateProducerIdsResponse>(
        request, AllocateProducerIdsRequest::api.versions, kTimeout,
        [self, done = std::move(done)](const auto& answer) { done(block_of(self, answer)); });
  };
}

}  // namespace broker
