#include "broker/handlers/find_coordinator.h"

#include "broker/dispatch/reply.h"
#include "broker/handlers/cluster_view.h"
#include "broker/internal_topics/names.h"
#include "protocol/messages/find_coordinator.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using Coordinator = FindCoordinatorResponse::Coordinator;

constexpr std::int16_t kManyKeysSince = 4;
constexpr std::int16_t kShareGroupsSince = 6;

enum KeyType : std::int8_t { kGroup = 0, kTransaction = 1, kShareGroup = 2 };

Coordinator refused(ErrorCode code) {
  return {.key = {}, .node_id = base::kNoBroker, .host = {}, .port = -1, .error_code = code, .error_message = ""};
}

// Kafka's words, which it tells those who ask for one key.
std::string_view message_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::none:
      return "NONE";
    case ErrorCode::coordinator_not_available:
      return "The coordinator is not available.";
    default:
      return "This most likely occurs because of a request being malformed by the client library or the message was "
             "sent to an incompatible broker. See the broker logs for more details.";
  }
}

}  // namespace

void FindCoordinatorHandler::operator()(Request& request, AnswerSlot answer) const {
  FindCoordinatorRequest in;
  if (!read_body(request, answer, in)) return;
  const auto find = [&](const std::string& key) {
    if (in.key_type == kShareGroup && request.version() >= kShareGroupsSince)
      return refused(ErrorCode::coordinator_not_available);
    if (in.key_type != kGroup && in.key_type != kTransaction) return refused(ErrorCode::invalid_request);
    const auto place = topics_.place(in.key_type == kGroup ? kGroupsTopic : kTransactionsTopic, key);
    if (!place) return refused(ErrorCode::coordinator_not_available);
    const auto cluster = metadata_.snapshot();
    const auto* leader = cluster->find_broker(place->leader);
    const auto* endpoint = leader ? endpoint_on(*leader, request.session.listener) : nullptr;
    if (!endpoint) return refused(ErrorCode::coordinator_not_available);
    Coordinator found = refused(ErrorCode::none);
    found.node_id = leader->id;
    found.host = endpoint->host;
    found.port = endpoint->port;
    return found;
  };

  FindCoordinatorResponse out;
  if (request.version() >= kManyKeysSince) {
    for (auto& key : in.coordinator_keys) {
      auto found = find(key);
      found.key = std::move(key);
      if (found.error_code == ErrorCode::invalid_request) found.error_message = message_of(found.error_code);
      out.coordinators.push_back(std::move(found));
    }
  } else {
    const auto found = find(in.key);
    out.error_code = found.error_code;
    out.error_message = message_of(found.error_code);
    out.node_id = found.node_id;
    out.host = found.host;
    out.port = found.port;
  }
  reply(answer, request, out);
}

}  // namespace broker
