#include "base/metrics.h"

#include <catch2/catch.hpp>

#include <thread>
#include <vector>

using namespace base;

TEST_CASE("a counter counts what all threads add") {
  Counter counter;
  CHECK(counter.get() == 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 20; ++i)  // more than a counter has places
    threads.emplace_back([&] {
      for (int k = 0; k < 10'000; ++k) counter.add(3);
    });
  for (auto& thread : threads) thread.join();
  CHECK(counter.get() == 20 * 10'000 * 3);
}

TEST_CASE("a metric's name follows the conventions, and says its unit") {
  const auto sound = [](std::string name, std::string unit) {
    return !find_fault({std::move(name), std::move(unit), "Something"});
  };
  CHECK(sound("weir_sent_bytes_total", "bytes"));
  CHECK(sound("weir_directory_free_bytes", "bytes"));
  CHECK(sound("weir_requests_total", "requests"));
  CHECK(sound("weir_last_run_timestamp_seconds", "seconds"));
  CHECK(sound("weir_dirty_ratio", "ratio"));
  CHECK_FALSE(sound("sent_bytes_total", "bytes"));
  CHECK_FALSE(sound("weir_sent_total", "bytes"));
  CHECK_FALSE(sound("weir_sent_bytes", "records"));
  CHECK_FALSE(sound("weir_Sent_bytes", "bytes"));
  CHECK_FALSE(sound("weir_sent-bytes", "bytes"));
  CHECK_FALSE(sound("weir_took", "seconds"));
  CHECK_FALSE(sound("weir_connections", ""));
  CHECK(find_fault({"weir_connections", "connections", ""}));
}

TEST_CASE("the page shows help, unit, type and the value of the moment, in the order of the names") {
  Metrics metrics;
  double connections = 3;
  metrics.add_family({"weir_sent_bytes_total", "bytes", "What was sent"}, [] {
    return std::vector<Sample>{{.labels = {{"directory", "/data \"1\"\n"}}, .value = 5e12},
                               {.labels = {{"directory", "/b"}, {"kind", "x"}}, .value = 0}};
  });
  metrics.add({"weir_connections", "connections", "Open connections"}, [&] { return connections; });
  CHECK(metrics.page() ==
        "# HELP weir_connections Open connections (connections)\n"
        "# TYPE weir_connections gauge\n"
        "weir_connections 3\n"
        "# HELP weir_sent_bytes_total What was sent (bytes)\n"
        "# TYPE weir_sent_bytes_total counter\n"
        "weir_sent_bytes_total{directory=\"/data \\\"1\\\"\\n\"} 5000000000000\n"
        "weir_sent_bytes_total{directory=\"/b\",kind=\"x\"} 0\n");
  connections = 4;
  CHECK(metrics.page().find("weir_connections 4\n") != std::string::npos);
}
