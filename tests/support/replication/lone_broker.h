// The metadata side of one broker on an embedded store: membership, controller, and a broker that only remembers what
// it was told and keeps its metadata.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "replication/cluster/metadata.h"
#include "replication/controller/controller.h"
#include "replication/coordination/blocking_store.h"
#include "replication/coordination/membership.h"
#include "tests/support/replication/store_suite.h"

namespace test_support {

// A directory that goes away again.
struct TemporaryDirectory {
  TemporaryDirectory() {
    char pattern[] = "/tmp/weir-test-XXXXXX";
    path = mkdtemp(pattern);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  std::string path;
};

// Remembers announcements in a line each; replies at once unless told to refuse.
class ObedientBroker {
 public:
  replication::Announcements announcements() {
    using namespace replication;
    Announcements calls;
    calls.leader_and_isr = [this](LeaderAndIsr request, auto done) {
      for (const auto& p : request.partitions)
        lines.add(
            fmt::format("lead {}-{} {}@{}{}", p.topic, p.partition, p.leader, p.leader_epoch, p.is_new ? " new" : ""));
      leaderships.add(request);
      AnnouncementReply reply;
      for (const auto& p : request.partitions)
        if (p.partition == lost_partition) reply.partitions.push_back({{p.topic, p.partition}, kLost});
      done(reply);
    };
    calls.stop_replica = [this](StopReplica request, auto done) {
      for (const auto& p : request.partitions)
        lines.add(fmt::format("{} {}", p.remove ? "remove" : "stop", p.partition));
      AnnouncementReply reply;
      if (refuse_stops)
        reply.partitions.push_back({request.partitions[0].partition, base::ErrorCode::kafka_storage_error});
      done(reply);
    };
    calls.update_metadata = [this](UpdateMetadata request, auto done) {
      lines.add(fmt::format("metadata {} of {} brokers", request.partitions.size(), request.brokers.size()));
      if (!deaf) metadata.update([&](ClusterMetadata& next) { next.apply(request); });
      done({});
    };
    return calls;
  }

  Collected<std::string> lines;
  Collected<replication::LeaderAndIsr> leaderships;
  replication::MetadataCache metadata;
  std::atomic<bool> refuse_stops{false};
  std::atomic<int> lost_partition{-1};  // of every topic: its disk has failed
  static constexpr auto kLost = base::ErrorCode::kafka_storage_error;
  std::atomic<bool> deaf{false};  // takes in no metadata
};

// One broker over any store.
struct Member {
  Member(replication::MetadataStore& metadata_store, base::Loop& coordination, replication::ControllerSettings settings,
         std::vector<replication::Endpoint> endpoints)
      : loop(coordination),
        store(metadata_store),
        membership(
            {.id = settings.broker, .endpoints = std::move(endpoints), .session_timeout = std::chrono::seconds(2)},
            metadata_store, coordination, clock),
        controller(settings, metadata_store, coordination, clock, random, broker.metadata, broker.announcements()) {
    membership.on_registered([this](std::int64_t) { controller.broker_registered(); });
  }

  base::Status start() {
    if (auto created = replication::create_top_level(store); !created) return created;
    controller.start();
    return membership.start();
  }
  void stop() {
    controller.stop();
    membership.stop();
  }

  // Waits for the answer.
  replication::TopicResults create(std::vector<replication::NewTopic> topics,
                                   replication::TopicRequestOptions options = {.timeout = std::chrono::seconds(20)}) {
    Collected<replication::TopicResults> answers;
    controller.create_topics(std::move(topics), options, [&](auto results) { answers.add(std::move(results)); });
    answers.wait_for_count(1);
    return answers.values().at(0);
  }
  replication::TopicResults remove(std::vector<replication::Controller::TopicKey> topics,
                                   std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    Collected<replication::TopicResults> answers;
    controller.delete_topics(std::move(topics), timeout, [&](auto results) { answers.add(std::move(results)); });
    answers.wait_for_count(1);
    return answers.values().at(0);
  }
  replication::TopicResults expand(std::vector<replication::MorePartitions> topics,
                                   replication::TopicRequestOptions options = {.timeout = std::chrono::seconds(20)}) {
    Collected<replication::TopicResults> answers;
    controller.create_partitions(std::move(topics), options, [&](auto results) { answers.add(std::move(results)); });
    answers.wait_for_count(1);
    return answers.values().at(0);
  }

  base::SystemClock clock;
  base::SystemRandom random;
  base::Loop& loop;
  replication::BlockingStore store;
  ObedientBroker broker;
  replication::Membership membership;
  replication::Controller controller;
};

}  // namespace test_support
