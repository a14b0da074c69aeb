// Three brokers with real logs, partitions and fetchers, in one thread: leaders change, brokers hear of it late,
// records are appended to leaders that are none any more, connections break. What was committed stays, and in the end
// all logs are the same.
#include <catch2/catch.hpp>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "replication/follower/fetcher_manager.h"
#include "tests/support/replication/hand_loop.h"
#include "tests/support/replication/hand_network.h"
#include "tests/support/replication/replica_bench.h"
#include "tests/support/storage/faulty_files.h"

using namespace replication;
using namespace test_support;
using namespace std::chrono_literals;
using base::BrokerId;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;

namespace {

constexpr int kBrokers = 3;
constexpr int kPartitions = 2;
constexpr storage::ReadLimits kLimits{.max_bytes = 200};

base::TopicPartition name_of(int partition) { return {"orders", partition}; }

// What a leader answers its followers, as far as fetchers need it: sessions, positions, the high watermark they allow.
class Leader {
 public:
  explicit Leader(std::array<std::shared_ptr<Partition>, kPartitions>& partitions) : partitions_(partitions) {}

  void began_to_lead(int partition) { followers_[static_cast<std::size_t>(partition)].clear(); }

  void answer(const HandNetwork::Question& question) {
    if (question.header.api_key == protocol::FetchRequest::api.key) return question.answer(fetch(question));
    if (question.header.api_key == protocol::ListOffsetsRequest::api.key) return question.answer(offsets(question));
    question.answer(epochs(question));
  }

 private:
  using Request = protocol::FetchRequest;
  using Response = protocol::FetchResponse;
  struct Asked {
    Request::Topic::Partition what;
    Offset told_watermark{-1};
    Offset told_start{-1};
  };
  struct Session {
    std::int32_t next = 1;
    std::map<int, Asked> partitions;
  };

  Response fetch(const HandNetwork::Question& question) {
    const auto request = question.as<Request>();
    const auto replica = request.replica_state ? request.replica_state->replica_id : request.replica_id;
    Response response;
    std::int32_t id = request.session_id;
    if (request.session_epoch == 0) {
      sessions_.erase(id);
      id = ++sessions_made_;
    } else if (!sessions_.contains(id)) {
      response.error_code = ErrorCode::fetch_session_id_not_found;
      return response;
    } else if (sessions_[id].next != request.session_epoch) {
      response.error_code = ErrorCode::invalid_fetch_session_epoch;
      return response;
    } else {
      ++sessions_[id].next;
    }
    auto& session = sessions_[id];
    for (const auto& topic : request.topics)
      for (const auto& partition : topic.partitions) session.partitions[partition.partition] = {partition};
    for (const auto& topic : request.forgotten_topics_data)
      for (const auto partition : topic.partitions) session.partitions.erase(partition);
    response.session_id = id;
    Response::Topic topic;
    topic.topic = "orders";
    topic.topic_id.bytes[0] = 1;
    for (auto& [index, asked] : session.partitions)
      if (auto partition = read(index, asked, replica)) topic.partitions.push_back(std::move(*partition));
    if (!topic.partitions.empty()) response.responses.push_back(std::move(topic));
    return response;
  }

  std::optional<Response::Topic::Partition> read(int index, Asked& asked, BrokerId replica) {
    auto& partition = *partitions_[static_cast<std::size_t>(index)];
    Response::Topic::Partition out;
    out.partition_index = index;
    auto outcome = partition.read({.from = asked.what.fetch_offset,
                                   .current_leader_epoch = asked.what.current_leader_epoch,
                                   .last_fetched_epoch = asked.what.last_fetched_epoch,
                                   .isolation = Isolation::log_end,
                                   .limits = kLimits});
    if (!outcome) {
      out.error_code = outcome.error().code;
      return out;
    }
    if (outcome->diverging_epoch) {
      out.diverging_epoch.emplace(
          Response::Topic::Partition::DivergingEpoch{outcome->diverging_epoch->epoch, outcome->diverging_epoch->end});
      return out;
    }
    fetched(index, replica, asked.what.fetch_offset);
    partition.with_log([&](storage::Log& log) {
      out.high_watermark = log.high_watermark();
      out.log_start_offset = log.log_start_offset();
    });
    out.last_stable_offset = out.high_watermark;
    const bool nothing_new = outcome->slice.records.size_bytes == 0 && asked.told_watermark == out.high_watermark &&
                             asked.told_start == out.log_start_offset;
    if (nothing_new) return std::nullopt;
    asked.told_watermark = out.high_watermark;
    asked.told_start = out.log_start_offset;
    if (outcome->slice.records.size_bytes > 0) out.records.pieces.append(outcome->slice.records);
    return out;
  }

  void fetched(int index, BrokerId replica, Offset from) {
    auto& followers = followers_[static_cast<std::size_t>(index)];
    followers[replica] = from;
    if (followers.size() < kBrokers - 1) return;
    partitions_[static_cast<std::size_t>(index)]->with_log([&](storage::Log& log) {
      auto committed = log.log_end_offset();
      for (const auto& [broker, offset] : followers) committed = std::min(committed, offset);
      if (committed > log.high_watermark()) log.set_high_watermark(committed);
    });
  }

  protocol::ListOffsetsResponse offsets(const HandNetwork::Question& question) {
    protocol::ListOffsetsResponse response;
    for (const auto& topic : question.as<protocol::ListOffsetsRequest>().topics) {
      protocol::ListOffsetsResponse::Topic told;
      told.name = topic.name;
      for (const auto& asked : topic.partitions) {
        auto& partition = *partitions_[static_cast<std::size_t>(asked.partition_index)];
        const TimestampQuery query{.current_leader_epoch = asked.current_leader_epoch, .isolation = Isolation::log_end};
        const auto offset = asked.timestamp == -1 ? partition.latest(query) : partition.earliest(query);
        protocol::ListOffsetsResponse::Topic::Partition out;
        out.partition_index = asked.partition_index;
        out.error_code = offset ? ErrorCode::none : offset.error().code;
        if (offset) out.offset = offset->offset;
        told.partitions.push_back(out);
      }
      response.topics.push_back(std::move(told));
    }
    return response;
  }

  protocol::OffsetForLeaderEpochResponse epochs(const HandNetwork::Question& question) {
    protocol::OffsetForLeaderEpochResponse response;
    for (const auto& topic : question.as<protocol::OffsetForLeaderEpochRequest>().topics) {
      protocol::OffsetForLeaderEpochResponse::Topic told;
      told.topic = topic.topic;
      for (const auto& asked : topic.partitions) {
        auto& partition = *partitions_[static_cast<std::size_t>(asked.partition)];
        const auto end = partition.end_offset_for_epoch(asked.leader_epoch, asked.current_leader_epoch);
        told.partitions.push_back({.error_code = end ? ErrorCode::none : end.error().code,
                                   .partition = asked.partition,
                                   .leader_epoch = end ? end->epoch : base::kNoLeaderEpoch,
                                   .end_offset = end ? end->end : base::kNoOffset});
      }
      response.topics.push_back(std::move(told));
    }
    return response;
  }

  std::array<std::shared_ptr<Partition>, kPartitions>& partitions_;
  std::array<std::map<BrokerId, Offset>, kPartitions> followers_;  // of the epoch led
  std::map<std::int32_t, Session> sessions_;
  std::int32_t sessions_made_ = 0;
};

struct World;

struct Node {
  Node(World& world, BrokerId broker);
  ~Node();
  void hear(const PartitionState& state);

  World& world;
  const BrokerId id;
  storage::testing::FaultyFiles files;
  base::SystemRandom random;
  std::unique_ptr<storage::LogDirs> dirs;
  std::unique_ptr<storage::LogSet> logs;
  std::array<std::shared_ptr<Partition>, kPartitions> partitions;
  Leader leader{partitions};
  std::unique_ptr<FetcherManager> manager;
  std::deque<PartitionState> unheard;
};

struct World {
  World(std::string_view release, std::uint64_t seed) : chance(seed) {
    const auto version = *config::find_protocol_version(release);
    settings.versions = PeerVersions::of(version);
    settings.truncates_on_fetch = version >= *config::find_protocol_version("2.7-IV1");
    for (int i = 0; i < kBrokers; ++i) nodes.push_back(std::make_unique<Node>(*this, BrokerId{i}));
  }
  ~World() {
    for (auto& node : nodes) node->manager->stop();
    while (loop.step() || disk.step()) continue;
  }

  std::uint64_t draw(std::uint64_t below) { return chance() % below; }
  void elect(int partition, std::size_t node) {
    leaders[static_cast<std::size_t>(partition)] = node;
    PartitionState state;
    state.topic = "orders";
    state.topic_id.bytes[0] = 1;
    state.partition = partition;
    state.leader = nodes[node]->id;
    state.leader_epoch = LeaderEpoch{++epoch};
    for (const auto& each : nodes) state.replicas.push_back(each->id);
    state.isr = state.replicas;
    for (auto& each : nodes) each->unheard.push_back(state);
  }
  void hear(Node& node) {
    if (node.unheard.empty()) return;
    const auto state = node.unheard.front();
    node.unheard.pop_front();
    node.hear(state);
  }
  void run_some(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps; ++i) (void)(draw(3) == 0 ? disk.step() : loop.step());
  }
  void answer_one() {
    if (auto question = network.take_any(draw(1000)))
      nodes[static_cast<std::size_t>(question->to.raw)]->leader.answer(*question);
  }
  void cut_one() {
    if (auto question = network.take_any(draw(1000))) question->fail();
  }
  void append(std::size_t node, int partition) {
    std::vector<std::string> values;
    for (std::uint64_t i = 0; i <= draw(3); ++i) values.push_back(std::to_string(++records));
    (void)test_support::append(*nodes[node]->partitions[static_cast<std::size_t>(partition)], {values}, Acks::leader);
  }
  void step() {
    const auto node = draw(kBrokers);
    const int partition = static_cast<int>(draw(kPartitions));
    switch (draw(20)) {
      case 0:
        if (draw(3) == 0) elect(partition, node);
        break;
      case 1:
      case 2:
        hear(*nodes[node]);
        break;
      case 3:
        cut_one();
        break;
      case 4:
        clock.advance(std::chrono::milliseconds(draw(700)));
        break;
      case 5:
      case 6:
      case 7:
        append(node, partition);  // who does not lead refuses
        break;
      case 8:
        if (draw(4) == 0)
          (void)nodes[node]->partitions[static_cast<std::size_t>(partition)]->delete_records(Offset{-1});
        break;
      default:
        run_some(draw(8));
        if (draw(2) == 0) answer_one();
    }
    look_at_committed();
  }

  // The bytes of batches between two offsets, one batch per offset range.
  static std::map<Offset, std::string> batches(storage::Log& log, Offset from, Offset to) {
    std::map<Offset, std::string> out;
    while (from < to) {
      auto slice = log.read(from, to, {.max_bytes = 1 << 20});
      REQUIRE(slice.ok());
      if (slice->records.size_bytes == 0) break;
      base::BufferChain chain;
      chain.append(slice->records);
      const auto bytes = base::flatten(chain).value();
      protocol::EntryCursor cursor(bytes.bytes());
      while (const auto entry = cursor.next()) {
        out[entry->base_offset()] = {reinterpret_cast<const char*>(entry->bytes().data()), entry->bytes().size()};
        from = entry->next_offset();
      }
    }
    return out;
  }
  // What some leader or follower held to be committed, is so for ever and for everybody.
  void look_at_committed() {
    for (int i = 0; i < kPartitions; ++i) {
      const auto p = static_cast<std::size_t>(i);
      for (const auto& node : nodes) {
        node->partitions[p]->with_log([&](storage::Log& log) {
          if (log.high_watermark() <= seen[p][node.get()]) {
            REQUIRE(log.high_watermark() == seen[p][node.get()]);
            return;
          }
          for (auto& [offset, bytes] :
               batches(log, std::max(seen[p][node.get()], log.log_start_offset()), log.high_watermark())) {
            const auto [known, fresh] = committed[p].emplace(offset, bytes);
            if (!fresh) REQUIRE(known->second == bytes);
          }
          seen[p][node.get()] = log.high_watermark();
        });
      }
    }
  }
  void settle() {
    for (auto& node : nodes)
      while (!node->unheard.empty()) hear(*node);
    for (int i = 0; i < 400; ++i) {
      run_some(30);
      while (network.open() > 0 && draw(10) > 0) answer_one();
      clock.advance(100ms);
      look_at_committed();
    }
  }
  struct Look {
    Offset high_watermark, log_end;
    std::map<Offset, std::string> batches;
    std::vector<storage::EpochStart> epochs;
  };
  static Look look(const Node& node, std::size_t partition, Offset from);
  void check_equal() {
    for (std::size_t p = 0; p < kPartitions; ++p) {
      // Where a leader deleted records before it lost its place, others may still have them.
      Offset start{0};
      for (const auto& node : nodes) start = std::max(start, node->partitions[p]->log_start_offset());
      const auto of_leader = look(*nodes[leaders[p]], p, start);
      CHECK(of_leader.high_watermark == of_leader.log_end);
      for (const auto& node : nodes) {
        const auto of_node = look(*node, p, start);
        CHECK(of_node.high_watermark == of_leader.high_watermark);
        CHECK(of_node.log_end == of_leader.log_end);
        CHECK((of_node.batches == of_leader.batches));
        CHECK((of_node.epochs == of_leader.epochs));
      }
    }
  }

  std::mt19937_64 chance;
  base::ManualClock clock;
  HandLoop loop{clock};
  HandPool disk;
  HandNetwork network;
  ReplicationThrottle throttle{clock};
  FetcherSettings settings;
  std::vector<std::unique_ptr<Node>> nodes;
  std::array<std::size_t, kPartitions> leaders{};
  std::int32_t epoch = 0;
  std::uint64_t records = 0;
  std::array<std::map<Offset, std::string>, kPartitions> committed;
  std::array<std::map<const Node*, Offset>, kPartitions> seen;
};

World::Look World::look(const Node& node, std::size_t partition, Offset from) {
  Look out;
  node.partitions[partition]->with_log([&](storage::Log& log) {
    out.high_watermark = log.high_watermark();
    out.log_end = log.log_end_offset();
    out.batches = batches(log, from, log.log_end_offset());
    auto epochs = log.epochs();
    epochs.truncate_from_start(from);
    epochs.truncate_from_end(log.log_end_offset());  // of epochs without records only their leaders know
    out.epochs = epochs.entries();
  });
  return out;
}

Node::Node(World& of, BrokerId broker) : world(of), id(broker) {
  dirs = std::make_unique<storage::LogDirs>(files, world.clock, std::vector<std::string>{"/data"},
                                            [](const std::string&, const base::Error&) {});
  base::invariant(dirs->open().ok() && dirs->claim({id, "cluster"}).ok(), "fresh directories open");
  logs = std::make_unique<storage::LogSet>(
      storage::LogServices{.files = files,
                           .clock = world.clock,
                           .random = random,
                           .in_background = [](const std::function<void()>& work) { work(); }},
      *dirs, storage::LogSetOptions{}, [](const std::string&) { return storage::LogSettings{}; });
  base::invariant(logs->load().ok(), "fresh directories load");
  PartitionSettings settings;
  settings.log.segment_bytes = 2000;
  for (int i = 0; i < kPartitions; ++i)
    partitions[static_cast<std::size_t>(i)] =
        std::make_shared<Partition>(id, logs->create(name_of(i), std::nullopt, settings.log).value(), settings);
  auto of_fetchers = world.settings;
  of_fetchers.self = id;
  manager = std::make_unique<FetcherManager>(of_fetchers,
                                             FetcherServices{.network = world.network,
                                                             .pool = world.disk,
                                                             .clock = world.clock,
                                                             .throttle = world.throttle,
                                                             .broker_epoch = [] { return -1; }},
                                             std::vector<base::Loop*>{&world.loop}, [](BrokerId broker_id) {
                                               return std::optional(PeerAddress{.id = broker_id});
                                             });
}

Node::~Node() {
  std::vector<std::unique_ptr<storage::Log>> released;
  for (auto& partition : partitions) {
    partition->stop();
    released.push_back(partition->release_log());
  }
  (void)logs->close(std::move(released));
}

void Node::hear(const PartitionState& state) {
  auto& partition = partitions[static_cast<std::size_t>(state.partition)];
  if (!partition->lead_or_follow(state)) return;
  if (state.leader == id) {
    leader.began_to_lead(state.partition);
    manager->unfollow({partition->name()});
  } else {
    manager->follow({{partition, state.leader, state.leader_epoch, state.topic_id}});
  }
}

}  // namespace

TEST_CASE("followers converge with their leaders through all elections, and what was committed stays") {
  const std::string release = GENERATE("3.9", "3.0", "2.6");
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("release " << release << " seed " << seed);
    World world(release, seed);
    for (int i = 0; i < kPartitions; ++i) world.elect(i, world.draw(kBrokers));
    for (int i = 0; i < 600; ++i) world.step();
    world.settle();
    world.check_equal();
  }
}
