#include "broker/handlers/cluster.h"

#include "broker/dispatch/reply.h"
#include "broker/handlers/cluster_view.h"
#include "protocol/messages/describe_cluster.h"

namespace broker {
namespace {
constexpr std::int8_t kBrokers = 1;
constexpr std::int8_t kControllers = 2;
}  // namespace

void DescribeClusterHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::DescribeClusterRequest in;
  if (!read_body(request, answer, in)) return;
  protocol::DescribeClusterResponse out;
  if (in.endpoint_type != kBrokers) {
    // Controllers of their own exist only with KRaft (KIP-919).
    const bool controllers = in.endpoint_type == kControllers;
    out.error_code =
        controllers ? base::ErrorCode::mismatched_endpoint_type : base::ErrorCode::unsupported_endpoint_type;
    out.error_message =
        controllers ? "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                    : "Unsupported endpoint type " + std::to_string(in.endpoint_type);
    return reply(answer, request, out);
  }
  const auto cluster = metadata_.snapshot();
  out.cluster_id = cluster_id_;
  out.controller_id = cluster->controller();
  for (const auto& broker : cluster->brokers())
    if (const auto* endpoint = endpoint_on(broker, request.session.listener))
      out.brokers.push_back({broker.id, endpoint->host, endpoint->port, broker.rack});
  if (in.include_cluster_authorized_operations) out.cluster_authorized_operations = kAllClusterOperations;
  reply(answer, request, out);
}

}  // namespace broker
