#include "replication/peers/negotiated_peer.h"

#include <algorithm>

#include "protocol/messages/api_versions.h"

namespace replication {

using base::ErrorCode;

std::optional<std::int16_t> NegotiatedPeer::common(const Theirs& theirs, const Question& question) {
  const auto known = theirs.find(question.api.key);
  if (known == theirs.end()) return std::nullopt;
  const auto best = std::min({known->second.max, question.ours.max, question.api.versions.max});
  const auto least = std::max({known->second.min, question.ours.min, question.api.versions.min});
  return best >= least ? std::optional(best) : std::nullopt;
}

void NegotiatedPeer::with_version(const protocol::Api& api, protocol::VersionRange ours, base::Duration timeout,
                                  std::function<void(base::Result<Version>)> go_on) {
  Question question{api, ours, std::move(go_on)};
  if (theirs_)
    if (const auto version = common(*theirs_, question)) return question.go_on(*version);
  // What they did not speak they may speak by now.
  waiting_.push_back(std::move(question));
  if (waiting_.size() > 1) return;
  constexpr std::int16_t kVersion = 3;  // from Kafka 2.4 on; no older broker can be in a cluster with us
  protocol::ApiVersionsRequest request;
  request.client_software_name = "weir";
  request.client_software_version = "1";
  replication::ask<protocol::ApiVersionsResponse>(
      *connection_, request, kVersion, timeout, [this](base::Result<PeerAnswer<protocol::ApiVersionsResponse>> answer) {
        if (!answer) return learn(answer.error());
        const auto& message = answer->message;
        if (message.error_code != ErrorCode::none)
          return learn(base::fail(message.error_code, "the broker does not tell what it speaks"));
        Theirs theirs;
        for (const auto& key : message.api_keys) theirs[key.api_key] = {key.min_version, key.max_version};
        learn(std::move(theirs));
      });
}

// Whoever is told may ask again at once, or be the end of us.
void NegotiatedPeer::learn(base::Result<Theirs> theirs) {
  theirs_.reset();
  if (theirs) theirs_ = *theirs;
  const std::weak_ptr<const bool> alive = alive_;
  for (auto& question : std::exchange(waiting_, {})) {
    if (alive.expired()) return;
    if (!theirs) {
      question.go_on(theirs.error());
    } else if (const auto version = common(*theirs, question)) {
      question.go_on(*version);
    } else {
      question.go_on(
          base::fail(ErrorCode::unsupported_version, "no version of {} is known to both brokers", question.api.name));
    }
  }
}

}  // namespace replication
