// A broker whose release we do not know: before anything else it is asked what it speaks, again after each failure.
//
// For what does not go by inter.broker.protocol.version: AlterPartition, AllocateProducerIds, other brokers'
// coordinators. Lives on the loop of its connection; destroying it drops what is unanswered without a word.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "protocol/wire/field.h"
#include "replication/peers/peers.h"

namespace replication {

class NegotiatedPeer {
 public:
  explicit NegotiatedPeer(std::unique_ptr<PeerConnection> connection) : connection_(std::move(connection)) {}
  NegotiatedPeer(const NegotiatedPeer&) = delete;
  NegotiatedPeer& operator=(const NegotiatedPeer&) = delete;

  // In the highest version that both sides know and that lies in `ours`, which is passed when a request's contents rule
  // out some; `unsupported_version` when there is none. Never answers inside the call. `timeout` is for each of the two
  // questions.
  template <class Response, class Request>
  void ask(Request request, protocol::VersionRange ours, base::Duration timeout,
           std::function<void(base::Result<PeerAnswer<Response>>)> done) {
    with_version(Request::api, ours, timeout,
                 [this, request = std::move(request), timeout, done = std::move(done)](base::Result<Version> version) {
                   if (!version) return done(version.error());
                   replication::ask<Response>(*connection_, request, *version, timeout,
                                              [this, done](base::Result<PeerAnswer<Response>> answer) {
                                                if (!answer) theirs_.reset();
                                                done(std::move(answer));
                                              });
                 });
  }
  template <class Response, class Request>
  void ask(Request request, base::Duration timeout, std::function<void(base::Result<PeerAnswer<Response>>)> done) {
    ask<Response>(std::move(request), Request::api.versions, timeout, std::move(done));
  }

  void disconnect() {
    theirs_.reset();
    connection_->disconnect();
  }

 private:
  using Version = std::int16_t;
  using Theirs = absl::flat_hash_map<std::int16_t, protocol::VersionRange>;  // by API key
  struct Question {
    protocol::Api api;
    protocol::VersionRange ours;
    std::function<void(base::Result<Version>)> go_on;
  };

  void with_version(const protocol::Api& api, protocol::VersionRange ours, base::Duration timeout,
                    std::function<void(base::Result<Version>)> go_on);
  void learn(base::Result<Theirs> theirs);
  static std::optional<Version> common(const Theirs& theirs, const Question& question);

  const std::unique_ptr<PeerConnection> connection_;
  std::optional<Theirs> theirs_;
  std::vector<Question> waiting_;  // for that
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace replication
