#include "broker/handlers/fetch.h"

#include <catch2/catch.hpp>

#include <thread>

#include "protocol/messages/fetch.h"
#include "tests/support/broker/fetch_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using base::Offset;
using protocol::FetchRequest;
using protocol::FetchResponse;

namespace {

constexpr std::int16_t kLatest = 17;

constexpr int kForEver = 2'000'000'000;

}  // namespace

TEST_CASE("a fetch hands out the bytes of the log") {
  FetchBench bench;
  auto partition = bench.announce({});
  REQUIRE(append(*partition, {{"a", "b"}}).ok());
  for (const std::int16_t version : {4, 7, 12}) {
    const auto answer = only(bench.ask<FetchResponse>(bench.handler, fetch({{}}), version));
    CHECK(answer.error_code == ErrorCode::none);
    CHECK(answer.high_watermark == Offset{2});
    CHECK(answer.last_stable_offset == Offset{2});
    auto bytes = batch_of({{"a", "b"}});
    CHECK(answer.records.view.size() == bytes.size());
  }
}

TEST_CASE("what cannot be served is refused in the client's words") {
  FetchBench bench;
  bench.announce({});
  bench.tell_metadata({.topic = "elsewhere", .leader = kOther, .replicas = {kOther}});
  const auto code = [&](const From& from, std::int16_t version = 12) {
    const auto answer = only(bench.ask<FetchResponse>(bench.handler, fetch({from}), version));
    if (answer.error_code != ErrorCode::none) {
      CHECK(answer.high_watermark == base::kNoOffset);
      CHECK(answer.last_stable_offset == base::kNoOffset);
      CHECK(answer.log_start_offset == base::kNoOffset);
      CHECK_FALSE(answer.records.is_null);
      CHECK(answer.records.view.empty());
      CHECK_FALSE(answer.aborted_transactions);
    }
    return answer.error_code;
  };
  CHECK(code({}) == ErrorCode::none);
  CHECK(code({.offset = 1}) == ErrorCode::offset_out_of_range);
  CHECK(code({.partition = 1}) == ErrorCode::unknown_topic_or_partition);
  CHECK(code({.topic = "nothing"}) == ErrorCode::unknown_topic_or_partition);
  CHECK(code({.topic = "elsewhere"}) == ErrorCode::not_leader_or_follower);
  bench.dirs->all().front()->retire(base::fail(ErrorCode::kafka_storage_error, "the disk is gone"));
  CHECK(code({}, 6) == ErrorCode::kafka_storage_error);
  CHECK(code({}, 5) == ErrorCode::not_leader_or_follower);
}

TEST_CASE("an isolation level nobody defined is an error at the top and below it") {
  FetchBench bench;
  bench.announce({});
  auto wanted = fetch({{}});
  wanted.isolation_level = 2;
  const auto answer = bench.ask<FetchResponse>(bench.handler, wanted, 11);
  CHECK(answer.error_code == ErrorCode::unknown_server_error);
  CHECK(only(answer).error_code == ErrorCode::unknown_server_error);
}

TEST_CASE("from version 13 on topics are known by their ids") {
  FetchBench bench;
  const base::Uuid id{{7}};
  auto partition = bench.announce({.topic_id = id});
  REQUIRE(append(*partition, {{"a"}}).ok());
  auto wanted = fetch({{}});
  wanted.topics[0].topic_id = id;
  const auto answer = bench.ask<FetchResponse>(bench.handler, wanted, kLatest);
  CHECK(answer.responses[0].topic_id == id);
  CHECK(only(answer).records.view.size() > 0);
  wanted.topics[0].topic_id = base::Uuid{{8}};
  CHECK(only(bench.ask<FetchResponse>(bench.handler, wanted, kLatest)).error_code == ErrorCode::unknown_topic_id);
}

TEST_CASE("whoever asks the wrong broker is told the right one from version 16 on") {
  FetchBench bench;
  const base::Uuid id{{7}};
  bench.brokers.push_back(HandlerBench::broker(kOther));
  bench.tell_metadata({.leader_epoch = base::LeaderEpoch{3}, .leader = kOther, .replicas = {kOther}, .topic_id = id});
  auto wanted = fetch({{}});
  wanted.topics[0].topic_id = id;
  const auto answer = bench.ask<FetchResponse>(bench.handler, wanted, kLatest);
  REQUIRE(only(answer).current_leader);
  CHECK(only(answer).current_leader->leader_id == kOther);
  CHECK(only(answer).current_leader->leader_epoch == base::LeaderEpoch{3});
  REQUIRE(answer.node_endpoints);
  CHECK(answer.node_endpoints->at(0).host == "host2");
  CHECK_FALSE(only(bench.ask<FetchResponse>(bench.handler, wanted, 15)).current_leader);
}

TEST_CASE("the first partition with data gives a whole batch, the rest stays within the limits") {
  FetchBench bench;
  for (int p = 0; p < 3; ++p) REQUIRE(append(*bench.announce({.partition = p}), {{std::string(500, 'x')}}).ok());
  const auto whole = batch_of({{std::string(500, 'x')}}).size();
  auto wanted = fetch({{.partition = 0, .max_bytes = 1}, {.partition = 1, .max_bytes = 1}, {.partition = 2}});
  wanted.max_bytes = static_cast<std::int32_t>(whole) + 100;
  const auto answer = bench.ask<FetchResponse>(bench.handler, wanted, 11);
  REQUIRE(answer.responses.size() == 1);
  const auto& partitions = answer.responses[0].partitions;
  REQUIRE(partitions.size() == 3);
  CHECK(partitions[0].records.view.size() == whole);
  CHECK(partitions[1].records.view.size() == 1);
  CHECK(partitions[2].records.view.size() == 99);
}

TEST_CASE("below version 3 limits are hard: a batch that does not fit is not sent, and one that fits is") {
  FetchBench bench;
  auto partition = bench.announce({});
  REQUIRE(append(*partition, {{std::string(500, 'x')}}).ok());
  for (const std::int16_t version : {0, 1, 2}) {
    const auto cut = only(bench.ask<FetchResponse>(bench.handler, fetch({{.max_bytes = 100}}), version));
    CHECK(cut.error_code == ErrorCode::none);
    CHECK_FALSE(cut.records.is_null);
    CHECK(cut.records.view.empty());
    const auto whole = only(bench.ask<FetchResponse>(bench.handler, fetch({{.max_bytes = 1000}}), version));
    CHECK(whole.records.view.size() > 500);
  }
  CHECK(only(bench.ask<FetchResponse>(bench.handler, fetch({{.max_bytes = 100}}), 3)).records.view.size() > 500);
}

TEST_CASE("old clients get magic 0 or 1, or are refused where conversion is off") {
  FetchBench bench;
  auto partition = bench.announce({});
  REQUIRE(append(*partition, {{"a"}}).ok());
  const auto magic = [&](std::int16_t version) {
    const auto answer = only(bench.ask<FetchResponse>(bench.handler, fetch({{}}), version));
    REQUIRE(answer.error_code == ErrorCode::none);
    return std::to_integer<int>(answer.records.view[16]);
  };
  CHECK(magic(0) == 0);
  CHECK(magic(1) == 0);
  CHECK(magic(2) == 1);
  CHECK(magic(3) == 1);
  CHECK(magic(4) == 2);
  bench.settings.set_topic_overrides("orders", {{"message.downconversion.enable", "false"}});
  const auto code = [&](std::int16_t version, std::int64_t offset) {
    return only(bench.ask<FetchResponse>(bench.handler, fetch({{.offset = offset}}), version)).error_code;
  };
  CHECK(code(3, 0) == ErrorCode::unsupported_version);
  CHECK(code(3, 1) == ErrorCode::none);  // nothing there to convert
  CHECK(code(4, 0) == ErrorCode::none);
}

TEST_CASE("what old clients get is no larger than what was stored, but for one whole entry") {
  FetchBench bench;
  auto partition = bench.announce({});
  const std::vector<std::string> values(50, "v");  // as messages several times the size of a batch
  for (int i = 0; i < 10; ++i) REQUIRE(append(*partition, {values}).ok());
  const auto stored = batch_of({values}).size();
  const auto read = [&](std::size_t max_bytes) {
    const auto answer =
        only(bench.ask<FetchResponse>(bench.handler, fetch({{.max_bytes = static_cast<std::int32_t>(max_bytes)}}), 2));
    REQUIRE(answer.error_code == ErrorCode::none);
    return answer.records.view.size();
  };
  const auto one = read(stored);
  CHECK(one > 2 * stored);
  CHECK(read(10 * stored) > one);
  CHECK(read(10 * stored) <= 10 * stored);
  CHECK(read(10 * stored) % one == 0);
}

TEST_CASE("the room for one large answer is shared by its partitions") {
  FetchBench bench;
  const std::vector<std::string> values(50, "v");
  for (std::int32_t i = 0; i < 3; ++i) REQUIRE(append(*bench.announce({.partition = i}), {values}).ok());
  const auto answer =
      bench.ask<FetchResponse>(bench.handler, fetch({{.partition = 0}, {.partition = 1}, {.partition = 2}}), 2);
  std::vector<bool> has_records;
  for (const auto& topic : answer.responses)
    for (const auto& one : topic.partitions) {
      CHECK(one.error_code == ErrorCode::none);
      has_records.push_back(!one.records.view.empty());
    }
  CHECK(has_records == std::vector<bool>{true, false, false});
}

TEST_CASE("converted records that nobody has taken keep others from being converted") {
  FetchBench bench;
  bench.services.converted = std::make_shared<MemoryBudget>(1);
  REQUIRE(append(*bench.announce({}), {{"a"}}).ok());
  auto first = bench.send(bench.handler, fetch({{}}), 2);
  REQUIRE(eventually([&] { return first->is_there(); }));
  auto second = bench.send(bench.handler, fetch({{}}), 2);
  auto third = bench.send(bench.handler, fetch({{}}), 2);
  const auto others = bench.ask<FetchResponse>(bench.handler, fetch({{}}), 4);
  CHECK(only(others).error_code == ErrorCode::none);
  bench.run_on_pool([] {});
  CHECK_FALSE(second->is_there());
  third->gone = true;  // waits no less, but for nothing
  (void)first->get();
  CHECK(only(bench.decode<FetchResponse>(second->get(), 2)).error_code == ErrorCode::none);
  CHECK(eventually([&] { return third->is_there(); }));
  CHECK(eventually([&] { return bench.services.converted->available_bytes() == 1; }));
}

TEST_CASE("a zstd topic is for clients that know zstd") {
  FetchBench bench;
  bench.overrides["orders"] = {{"compression.type", "zstd"}};
  bench.announce({});
  CHECK(only(bench.ask<FetchResponse>(bench.handler, fetch({{}}), 9)).error_code ==
        ErrorCode::unsupported_compression_type);
  CHECK(only(bench.ask<FetchResponse>(bench.handler, fetch({{}}), 10)).error_code == ErrorCode::none);
}

TEST_CASE("a fetch with nothing to tell waits until there is enough, or its time is up") {
  FetchBench bench;
  auto partition = bench.announce({});
  auto waiting = bench.send(bench.handler, fetch({{}}, kForEver), 11);
  CHECK(partition->waiting() == 1);
  CHECK_FALSE(waiting->is_there());
  REQUIRE(append(*partition, {{"a"}}).ok());
  CHECK(only(bench.decode<FetchResponse>(waiting->get(), 11)).records.view.size() > 0);
  CHECK(partition->waiting() == 0);

  auto greedy = bench.send(bench.handler, fetch({{.offset = 1}}, kForEver, 150), 11);
  REQUIRE(append(*partition, {{"b"}}).ok());
  REQUIRE(eventually([&] { return partition->waiting() == 1; }));
  CHECK_FALSE(greedy->is_there());
  REQUIRE(append(*partition, {{std::string(100, 'c')}}).ok());
  CHECK(only(bench.decode<FetchResponse>(greedy->get(), 11)).records.view.size() > 150);

  auto hurried = bench.send(bench.handler, fetch({{.offset = 3}}, 5), 11);
  CHECK(only(bench.decode<FetchResponse>(hurried->get(), 11)).error_code == ErrorCode::none);
  CHECK(partition->waiting() == 0);
}

TEST_CASE("an error is answered at once, whatever the others wait for") {
  FetchBench bench;
  auto partition = bench.announce({});
  const auto answer = bench.ask<FetchResponse>(bench.handler, fetch({{}, {.partition = 9}}, kForEver), 11);
  CHECK(answer.responses[0].partitions[1].error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(partition->waiting() == 0);
}

TEST_CASE("a reader of committed data behind an open transaction waits without turning in circles") {
  FetchBench bench;
  auto partition = bench.announce({});
  REQUIRE(append(*partition, {.values = {"open"},
                              .spec = {.producer_id = base::ProducerId{9},
                                       .producer_epoch = base::ProducerEpoch{0},
                                       .base_sequence = 0,
                                       .transactional = true}})
              .ok());
  auto wanted = fetch({{}}, kForEver);
  wanted.isolation_level = 1;
  auto waiting = bench.send(bench.handler, wanted, 11);
  for (int i = 0; i < 20; ++i) bench.run_on_loop([] {});
  CHECK(partition->waiting() == 1);
  CHECK_FALSE(waiting->is_there());
  partition->stop();
  const auto answer = only(bench.decode<FetchResponse>(waiting->get(), 11));
  CHECK(answer.error_code == ErrorCode::not_leader_or_follower);
}

TEST_CASE("a deleted partition answers whoever waited for it, and keeps nobody") {
  FetchBench bench;
  auto partition = bench.announce({});
  auto other = bench.announce({.partition = 1});
  auto waiting = bench.send(bench.handler, fetch({{}, {.partition = 1}}, kForEver), 11);
  CHECK(other->waiting() == 1);
  bench.stop_replica({.partition = {"orders", 0}, .remove = true});
  const auto answer = bench.decode<FetchResponse>(waiting->get(), 11);
  CHECK(answer.responses[0].partitions[0].error_code == ErrorCode::not_leader_or_follower);
  CHECK(answer.responses[0].partitions[1].error_code == ErrorCode::none);
  CHECK(other->waiting() == 0);
}

TEST_CASE("a fetch whose client is gone is dropped when it is woken") {
  FetchBench bench;
  auto partition = bench.announce({});
  auto waiting = bench.send(bench.handler, fetch({{}}, kForEver, 1 << 20), 11);
  waiting->gone = true;
  REQUIRE(append(*partition, {{"a"}}).ok());  // far too little for it
  (void)waiting->get();
  CHECK(partition->waiting() == 0);
}

TEST_CASE("a thousand waiting consumers are all served by one append") {
  FetchBench bench;
  auto partition = bench.announce({});
  std::vector<std::shared_ptr<Awaited>> waiting;
  for (int i = 0; i < 1000; ++i) waiting.push_back(bench.send(bench.handler, fetch({{}}, kForEver), 11));
  CHECK(partition->waiting() == 1000);
  REQUIRE(append(*partition, {{"a"}}).ok());
  for (auto& one : waiting) CHECK(one->get().kind == Answer::Kind::frame);
  CHECK(partition->waiting() == 0);
}

TEST_CASE("a session tells only what is new, and wakes for it") {
  FetchBench bench;
  auto first = bench.announce({});
  bench.announce({.partition = 1});
  auto open = fetch({{}, {.partition = 1}});
  open.session_epoch = 0;
  const auto opened = bench.ask<FetchResponse>(bench.handler, open, 11);
  CHECK(opened.session_id != 0);
  CHECK(opened.responses[0].partitions.size() == 2);
  auto next = fetch({}, kForEver);
  next.session_id = opened.session_id;
  next.session_epoch = 1;
  auto waiting = bench.send(bench.handler, next, 11);
  CHECK_FALSE(waiting->is_there());
  REQUIRE(append(*first, {{"a"}}).ok());
  const auto news = bench.decode<FetchResponse>(waiting->get(), 11);
  CHECK(news.session_id == opened.session_id);
  CHECK(only(news).partition_index == 0);
  const auto stale = bench.ask<FetchResponse>(bench.handler, next, 11);
  CHECK(stale.error_code == ErrorCode::invalid_fetch_session_epoch);
  CHECK(stale.session_id == 0);
  CHECK(stale.responses.empty());
}

TEST_CASE("a body that is no fetch closes the connection") {
  FetchBench bench;
  std::vector<std::byte> nonsense(40, std::byte{0xff});
  auto awaited = std::make_shared<Awaited>();
  bench.run_on_loop([&] {
    Frame frame{std::span<std::byte>(nonsense)};
    Request request({1, 11, 7, "c"}, bench.session, base::Instant{}, frame, 0, bench.budget);
    bench.handler(request, AnswerSlot(awaited, 0));
  });
  CHECK(awaited->get().kind == Answer::Kind::close);
}

namespace {

using Numbers = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("an idle session looks at no partition, a busy one at those that changed") {
  FetchBench bench;
  std::vector<std::shared_ptr<replication::Partition>> partitions;
  for (int i = 0; i < 4; ++i) partitions.push_back(bench.announce({.partition = i}));
  SessionOf session{bench};
  session.ask(fetch({{.partition = 0}, {.partition = 1}, {.partition = 2}, {.partition = 3}}));
  CHECK(session.due().empty());

  REQUIRE(append(*partitions[2], {{"a"}}).ok());
  REQUIRE(append(*partitions[1], {{"a"}}).ok());
  REQUIRE(append(*partitions[2], {{"b"}}).ok());
  CHECK(session.due() == Numbers{2, 1});
  const auto both = session.ask(fetch({}));
  REQUIRE(both.responses.size() == 1);
  CHECK(both.responses[0].partitions.size() == 2);
  // Not named again, so it is still wanted from where it was.
  CHECK(session.due() == Numbers{2, 1});
  CHECK(session.ask(fetch({{.partition = 1, .offset = 1}, {.partition = 2, .offset = 2}})).responses.empty());
  CHECK(session.due().empty());

  auto forgotten = fetch({});
  forgotten.forgotten_topics_data.push_back({.topic_id = {}, .topic = "orders", .partitions = {3}});
  session.ask(forgotten);
  REQUIRE(append(*partitions[3], {{"a"}}).ok());
  CHECK(session.due().empty());
}

TEST_CASE("a session hears of deleted records, of new settings, of another leader and of the end of a partition") {
  FetchBench bench;
  auto partition = bench.announce({});
  REQUIRE(append(*partition, {{"a", "b", "c"}}).ok());
  SessionOf session{bench};
  session.ask(fetch({{.offset = 3}}));
  CHECK(session.due().empty());

  REQUIRE(partition->delete_records(Offset{2}).ok());
  CHECK(session.due() == Numbers{0});
  CHECK(only(session.ask(fetch({}))).log_start_offset == Offset{2});
  CHECK(session.due().empty());

  partition->change_settings(*partition->settings());
  CHECK(session.due() == Numbers{0});
  CHECK(session.ask(fetch({})).responses.empty());
  CHECK(session.due().empty());

  bench.announce(
      {.leader_epoch = base::LeaderEpoch{5}, .leader = kOther, .replicas = {kOther, kSelf}, .is_new = false});
  CHECK(session.due() == Numbers{0});
  CHECK(session.ask(fetch({})).responses.empty());  // a follower serves consumers, too
  bench.announce({.leader_epoch = base::LeaderEpoch{6}, .is_new = false});
  CHECK(session.due() == Numbers{0});
  CHECK(session.ask(fetch({})).responses.empty());
  CHECK(session.due().empty());

  bench.stop_replica({.partition = {"orders", 0}, .leader_epoch = base::LeaderEpoch{7}, .remove = true});
  CHECK(session.due() == Numbers{0});
  for (int i = 0; i < 2; ++i) CHECK(only(session.ask(fetch({}))).error_code != ErrorCode::none);
}

TEST_CASE("what the limits of an answer left behind is looked at again without any change") {
  FetchBench bench;
  for (int i = 0; i < 3; ++i) REQUIRE(append(*bench.announce({.partition = i}), {{std::string(1000, 'x')}}).ok());
  SessionOf session{bench};
  auto limited = fetch({{.partition = 0}, {.partition = 1}, {.partition = 2}});
  limited.max_bytes = 1;
  const auto has_data = [](const FetchResponse& response) {
    Numbers out;
    for (const auto& topic : response.responses)
      for (const auto& one : topic.partitions)
        if (!one.records.view.empty()) out.push_back(one.partition_index);
    return out;
  };
  CHECK(has_data(session.ask(limited)) == Numbers{0});
  auto more = fetch({{.partition = 0, .offset = 1}});
  more.max_bytes = 1;
  CHECK(has_data(session.ask(more)) == Numbers{1});
  more = fetch({{.partition = 1, .offset = 1}});
  more.max_bytes = 1;
  CHECK(has_data(session.ask(more)) == Numbers{2});
  CHECK(has_data(session.ask(fetch({{.partition = 2, .offset = 1}}))).empty());
  CHECK(session.due().empty());
}

TEST_CASE("a session read with another isolation level looks at everything again") {
  FetchBench bench;
  bench.announce({});
  SessionOf session{bench};
  session.ask(fetch({{}}));
  auto committed = fetch({});
  committed.isolation_level = 1;
  const auto context = bench.sessions.open(session.next(committed), SessionOf::kByName);
  CHECK(context->partitions.size() == 1);
}

TEST_CASE("a parked session fetch wakes for the partition that changed, whatever was settled before") {
  FetchBench bench;
  std::vector<std::shared_ptr<replication::Partition>> partitions;
  for (int i = 0; i < 3; ++i) partitions.push_back(bench.announce({.partition = i}));
  SessionOf session{bench};
  session.ask(fetch({{.partition = 0}, {.partition = 1}, {.partition = 2}}));
  for (std::int64_t round = 0; round < 20; ++round) {
    const auto which = static_cast<std::size_t>(round % 3);
    auto parked = bench.send(bench.handler, session.next(fetch({}, kForEver)), SessionOf::kByName);
    CHECK_FALSE(parked->is_there());
    REQUIRE(append(*partitions[which], {{"a"}}).ok());
    const auto answer = only(bench.decode<FetchResponse>(parked->get(), SessionOf::kByName));
    CHECK(answer.partition_index == static_cast<std::int32_t>(which));
    session.ask(fetch({{.partition = static_cast<std::int32_t>(which), .offset = round / 3 + 1}}));
  }
}

TEST_CASE("appends and fetches of many sessions side by side lose no wake-up") {
  FetchBench bench;
  auto partition = bench.announce({});
  constexpr std::int64_t kRecords = 300;
  std::vector<SessionOf> sessions(4, SessionOf{bench});
  for (auto& session : sessions) session.ask(fetch({{}}));
  std::thread writer([&] {
    for (std::int64_t i = 0; i < kRecords; ++i) base::invariant(append(*partition, {{"a"}}).ok(), "appended");
  });
  for (auto& session : sessions) {
    std::int64_t at = 0;
    while (at < kRecords) {
      auto parked = bench.send(bench.handler, session.next(fetch({{.offset = at}}, kForEver)), SessionOf::kByName);
      const auto answer = only(bench.decode<FetchResponse>(parked->get(), SessionOf::kByName));
      REQUIRE(answer.high_watermark > Offset{at});
      at = answer.high_watermark.raw;
    }
  }
  writer.join();
}

TEST_CASE("records that only the disk can tell of are waited for on the pool; where too many wait they come later") {
  constexpr std::int16_t kByName = 12;
  FetchBench bench;
  bench.overrides["orders"] = {{"segment.bytes", "500"}};
  auto partition = bench.announce({});
  for (int i = 0; i < 30; ++i) REQUIRE(append(*partition, {{std::string(100, 'v')}}).ok());
  REQUIRE(partition->with_log([](storage::Log& log) { log.close_idle_files(); }));
  absl::Notification disk;
  REQUIRE(bench.reads.submit([&] { disk.WaitForNotification(); }));
  const auto cold = bench.send(bench.handler, fetch({{0, 3}}, 0), kByName);
  CHECK(bench.reads.waiting() == 1);
  CHECK(only(bench.ask<FetchResponse>(bench.handler, fetch({{0, 29}}), kByName)).records.size_bytes() > 0);
  REQUIRE(bench.reads.submit([] {}));
  const auto refused = only(bench.ask<FetchResponse>(bench.handler, fetch({{0, 10}}, kForEver), kByName));
  CHECK(refused.error_code == ErrorCode::none);
  CHECK(refused.records.size_bytes() == 0);
  CHECK(refused.high_watermark == Offset{30});
  disk.Notify();
  CHECK(only(bench.decode<FetchResponse>(cold->get(), kByName)).records.size_bytes() > 0);
  CHECK(only(bench.ask<FetchResponse>(bench.handler, fetch({{0, 10}}), kByName)).records.size_bytes() > 0);
}
