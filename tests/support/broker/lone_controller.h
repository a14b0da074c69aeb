// A controller on an embedded store that has elected itself, and a broker that believes what it announces.
#pragma once

#include <memory>

#include "broker/peers/topic_creation.h"
#include "replication/coordination/embedded_store.h"
#include "tests/support/broker/answering_peers.h"
#include "tests/support/broker/handler_bench.h"
#include "tests/support/replication/lone_broker.h"

namespace broker::test {

struct LoneController {
  explicit LoneController(base::BrokerId id = test_support::kSelf) {
    loop.start();
    base::invariant(embedded.start().ok(), "a fresh store starts");
    member = std::make_unique<test_support::Member>(
        embedded, loop,
        replication::ControllerSettings{.broker = id,
                                        .check_topic_config =
                                            [](const replication::ConfigEntries& entries) {
                                              return config::validate_topic_overrides(
                                                  config::BrokerSettings(),
                                                  config::Texts(entries.begin(), entries.end()));
                                            }},
        std::vector<replication::Endpoint>{{"PLAINTEXT", "PLAINTEXT", "host", 9092}});
    base::invariant(member->start().ok(), "a broker alone registers");
    base::invariant(broker::test::eventually([this] {
                      return member->controller.is_active() && metadata().snapshot()->find_broker(test_support::kSelf);
                    }),
                    "a broker alone becomes the controller");
    others = std::make_unique<OtherBrokers>(OtherBrokers::Parts{
        .network = peers, .metadata = metadata(), .loop = loop, .listener = "PLAINTEXT", .client_id = "broker-1"});
  }
  ~LoneController() {
    member->stop();
    embedded.stop();
    loop.stop();
  }
  replication::MetadataCache& metadata() { return member->broker.metadata; }
  replication::Controller& controller() { return member->controller; }

  support::TemporaryDirectory directory;
  base::SystemClock clock;
  base::Loop loop{"coordination"};
  replication::EmbeddedStore embedded{directory.file("metadata.sqlite"), loop, clock};
  std::unique_ptr<test_support::Member> member;
  AnsweringPeers peers;
  std::unique_ptr<OtherBrokers> others;
};

}  // namespace broker::test
