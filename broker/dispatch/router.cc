#include "broker/dispatch/router.h"

#include <fmt/format.h>

#include "protocol/messages/registry.h"

namespace broker {

ReadAhead Router::handle(Session& session, Frame& frame, base::Instant arrived, AnswerSlot answer) const {
  auto parsed = protocol::parse_request(frame.bytes());
  if (!parsed) {
    answer.close_connection(parsed.error().detail);
    return ReadAhead::after_answer;
  }
  const auto& header = parsed->header;
  const ApiEntry* entry = table_.find(header.api_key);
  if (entry == nullptr || (!entry->versions.contains(header.api_version) && !entry->any_version)) {
    const protocol::Api* known = protocol::find_api(header.api_key);
    const auto diagnosis = diagnose_api({.api_key = header.api_key,
                                         .api_version = header.api_version,
                                         .known_name = known ? known->name : std::string_view{},
                                         .served = entry ? std::optional(entry->versions) : std::nullopt,
                                         .client_id = header.client_id.value_or("")});
    diagnosis_.report(diagnosis, session, arrived);
    answer.close_connection({});
    return ReadAhead::after_answer;
  }
  if (const auto id = header.client_id ? std::string_view(*header.client_id) : std::string_view{};
      session.client_id != id)
    session.client_id = id;
  entry->counts->requests.add(1);
  entry->counts->bytes.add(frame.bytes().size());
  Request request(std::move(parsed->header), session, arrived, frame, parsed->body_at, budget_);
  entry->handler(request, std::move(answer));
  return entry->no_read_ahead || request.holds_the_next() ? ReadAhead::after_answer : ReadAhead::allowed;
}

}  // namespace broker
