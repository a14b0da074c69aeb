#include "storage/clean/service.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "base/bytes.h"
#include "config/broker_settings.h"
#include "tests/support/storage/clean_bench.h"

using namespace storage;
using namespace storage::testing;
using base::Offset;
using std::chrono::milliseconds;

namespace {

// Three compacted logs on one disk, each under its own lock, and the service that cleans them.
struct ServiceBench {
  struct One {
    absl::Mutex mutex;
    std::unique_ptr<Log> log ABSL_GUARDED_BY(mutex);
  };
  FaultyFiles files;
  base::SystemClock clock;
  base::SystemRandom random;
  std::shared_ptr<DirectoryHealth> health = std::make_shared<DirectoryHealth>("/data", nullptr);
  LogSettings log_settings;
  std::map<TopicPartition, One> logs;
  CleanServiceSettings settings{.key_bytes = 2 << 20, .backoff = milliseconds{1}};
  CleanSettings topic{
      .min_dirty_ratio = 0.5, .segment_bytes = 1000, .index = {.max_bytes = 800, .interval_bytes = 100}};
  absl::Mutex mutex;
  std::size_t checkpoints ABSL_GUARDED_BY(mutex) = 0;
  std::optional<CleanService> service;

  ServiceBench() {
    log_settings.segment_bytes = topic.segment_bytes;
    log_settings.index = topic.index;
    base::invariant(files.create_directories("/data").ok(), "a data directory");
  }
  ~ServiceBench() {
    if (service) service->stop();
  }

  LogServices services() {
    return {.files = files, .clock = clock, .random = random, .in_background = [](auto work) { work(); }};
  }
  void add(const std::string& topic_name, int segments) {
    const TopicPartition name{topic_name, 0};
    auto& one = logs[name];
    absl::MutexLock lock(&one.mutex);
    one.log = create_log(services(), {.partition = name,
                                      .directory = "/data/" + name.text(),
                                      .health = health,
                                      .settings = log_settings,
                                      .topic_id = std::nullopt})
                  .value();
    for (int i = 0; i < segments; ++i) fill(*one.log);
  }
  static void fill(Log& log) {
    for (int key = 0; key < 5; ++key) {
      auto bytes = keyed_batch({}, {{"key-" + std::to_string(key), std::string(50, 'v')}});
      auto batch = protocol::Batch::parse(bytes.bytes()).value();
      REQUIRE(log.append_as_leader(std::span(&*batch, 1), base::LeaderEpoch{0}).ok());
    }
    log.set_high_watermark(log.log_end_offset());
    REQUIRE(log.roll().ok());
  }
  bool with_log(const TopicPartition& name, const std::function<void(Log&)>& call) {
    const auto found = logs.find(name);
    if (found == logs.end()) return false;
    absl::MutexLock lock(&found->second.mutex);
    if (!found->second.log) return false;
    call(*found->second.log);
    return true;
  }
  Offset cleaned_to(const std::string& topic_name) {
    Offset to;
    with_log({topic_name, 0}, [&](Log& log) { to = log.marks()->cleaned_to; });
    return to;
  }
  CleanService& make() {
    service.emplace(
        CleanServiceParts{.files = files,
                          .clock = clock,
                          .random = random,
                          .partitions =
                              [this] {
                                std::vector<TopicPartition> names;
                                for (const auto& [name, one] : logs) names.push_back(name);
                                return names;
                              },
                          .settings_of = [this](const std::string& name) -> std::optional<CleanSettings> {
                            if (name == "plain") return std::nullopt;
                            return topic;
                          },
                          .with_log = [this](const TopicPartition& name,
                                             const std::function<void(Log&)>& call) { return with_log(name, call); },
                          .cleaned =
                              [this](const std::shared_ptr<DirectoryHealth>&) {
                                absl::MutexLock lock(&mutex);
                                ++checkpoints;
                              }},
        settings);
    return *service;
  }
  // Looks again after every cleaning.
  void wait_until(const std::function<bool()>& condition) {
    struct Waiting {
      const std::size_t& checkpoints;
      std::size_t seen;
    };
    for (;;) {
      std::size_t seen = 0;
      {
        absl::MutexLock lock(&mutex);
        seen = checkpoints;
      }
      if (condition()) return;
      absl::MutexLock lock(&mutex);
      Waiting waiting{checkpoints, seen};
      mutex.Await(absl::Condition(
          +[](Waiting* w) { return w->checkpoints > w->seen; }, &waiting));
    }
  }
  bool all_cleaned() {
    return std::ranges::all_of(logs, [&](const auto& one) { return cleaned_to(one.first.topic) != base::kNoOffset; });
  }
  void damage(const std::string& topic_name, Offset segment) {
    const auto path = "/data/" + topic_name + "-0/" + file_name(segment, FileKind::data);
    auto bytes = files.contents(path);
    bytes[80] = static_cast<char>(bytes[80] ^ 1);
    files.put(path, bytes);
  }
};

}  // namespace

TEST_CASE("the dirtiest log is cleaned first, and only those dirty enough and compacted") {
  ServiceBench bench;
  bench.add("little", 2);
  bench.add("more", 4);
  bench.add("plain", 4);
  auto& service = bench.make();
  bench.with_log({"little", 0}, [](Log& log) { log.set_cleaned_to(Offset{5}, log.ticket()); });
  CHECK(service.clean_next());
  CHECK(bench.cleaned_to("more") == Offset{20});
  CHECK(bench.cleaned_to("little") == Offset{5});
  CHECK_FALSE(service.clean_next());  // half of it is dirty, not more
  bench.topic.min_dirty_ratio = 0.4;
  CHECK(service.clean_next());
  CHECK(bench.cleaned_to("little") == Offset{10});
  CHECK_FALSE(service.clean_next());
  CHECK(bench.cleaned_to("plain") == base::kNoOffset);
  CHECK(service.counts().cleanings == 2);
  CHECK(service.counts().bytes_read > service.counts().bytes_written);
  CHECK(service.counts().bytes_written > 0);
}

TEST_CASE("a log too little dirty is cleaned when its records have waited for the longest lag") {
  ServiceBench bench;
  bench.add("old", 4);  // records of 2023
  auto& service = bench.make();
  bench.topic.min_dirty_ratio = 1;
  CHECK_FALSE(service.clean_next());
  bench.topic.max_lag = milliseconds{1000};
  CHECK(service.clean_next());
  CHECK_FALSE(service.clean_next());
}

TEST_CASE("a log that cannot be read is left alone and counted, the others are cleaned") {
  ServiceBench bench;
  bench.add("bad", 4);
  bench.add("good", 3);
  bench.damage("bad", Offset{0});
  auto& service = bench.make();
  CHECK(service.clean_next());
  CHECK(service.clean_next());
  CHECK_FALSE(service.clean_next());
  CHECK(service.is_uncleanable({"bad", 0}));
  CHECK_FALSE(service.is_uncleanable({"good", 0}));
  CHECK(service.counts().uncleanable == 1);
  CHECK(bench.cleaned_to("good") == Offset{15});
  CHECK(bench.health->online());

  // A new log of that name is another one.
  {
    auto& one = bench.logs[{"bad", 0}];
    absl::MutexLock lock(&one.mutex);
    one.log.reset();
    REQUIRE(bench.files.remove_tree("/data/bad-0").ok());
  }
  bench.add("bad", 4);
  CHECK(service.clean_next());
  CHECK(service.counts().uncleanable == 0);
  CHECK(bench.cleaned_to("bad") == Offset{20});

  bench.damage("good", Offset{10});
  bench.with_log({"good", 0}, [](Log& log) { ServiceBench::fill(log); });
  bench.with_log({"good", 0}, [](Log& log) { log.set_cleaned_to(base::kNoOffset, log.ticket()); });
  CHECK(service.clean_next());
  CHECK(service.counts().uncleanable == 1);
  bench.logs.erase({"good", 0});
  CHECK_FALSE(service.clean_next());
  CHECK(service.counts().uncleanable == 0);
}

TEST_CASE("several threads clean several logs while records are appended, and stop when told") {
  ServiceBench bench;
  for (int i = 0; i < 6; ++i) bench.add("t" + std::to_string(i), 5);
  bench.settings.threads = 3;
  auto& service = bench.make();
  service.start();
  std::thread writer([&] {
    for (int i = 0; i < 40; ++i)
      bench.with_log({"t" + std::to_string(i % 6), 0}, [](Log& log) { ServiceBench::fill(log); });
  });
  bench.wait_until([&] { return bench.all_cleaned(); });
  service.change_settings([&] {
    auto fewer = bench.settings;
    fewer.threads = 1;
    return fewer;
  }());
  writer.join();
  service.change_settings([&] {
    auto more = bench.settings;
    more.threads = 2;
    return more;
  }());
  bench.with_log({"t0", 0}, [](Log& log) { log.set_cleaned_to(base::kNoOffset, log.ticket()); });
  bench.wait_until([&] { return bench.all_cleaned(); });
  service.stop();
  CHECK(bench.health->online());
  CHECK(service.counts().uncleanable == 0);
  for (const auto& [name, one] : bench.logs)
    bench.with_log(name, [](Log& log) {
      std::int64_t kept = 0;
      for (std::size_t i = 0; i < log.segments().size(); ++i) kept += log.segments().at(i).size_bytes() > 0;
      CHECK(kept > 0);
      CHECK(log.aborted_transactions(Offset{0}, log.log_end_offset()).value().empty());
    });
}

TEST_CASE("a stop does not wait for the throttle") {
  ServiceBench bench;
  bench.add("t", 5);
  bench.settings.bytes_per_second = 1;
  auto& service = bench.make();
  service.start();
  service.stop();
  CHECK(bench.cleaned_to("t") == base::kNoOffset);
}

TEST_CASE("the throttle asks for as long as the bytes of all take") {
  const base::Instant begin{std::chrono::seconds(100)};
  Throttle throttle(1000);
  CHECK(throttle.spend(500, begin) == milliseconds{500});
  CHECK(throttle.spend(500, begin) == milliseconds{1000});
  CHECK(throttle.spend(100, begin + milliseconds{900}) == milliseconds{200});
  CHECK(throttle.spend(100, begin + std::chrono::seconds(5)) == milliseconds{100});
  Throttle none(1.7976931348623157E308);
  CHECK(none.spend(1 << 30, begin) == base::Duration{});
  Throttle least(1e-300);
  CHECK(least.spend(1, begin) <= std::chrono::hours(1));
}

TEST_CASE("the broker's settings say what the cleaner may use") {
  const auto settings = CleanServiceSettings::from(config::BrokerSettings());
  CHECK(settings.threads == 1);
  CHECK(settings.key_bytes == 134217728);
  CHECK(settings.load_factor == 0.9);
  CHECK(settings.buffer_bytes == 524288);
  CHECK(settings.bytes_per_second > 1e300);
  CHECK(settings.backoff == milliseconds{15'000});
}
