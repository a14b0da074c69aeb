// What the process counts about itself, and the page that shows it.
//
// Counting knows no names: whoever has something to count owns a Counter, or any number of its own. A metric is a name,
// a unit, a sentence and a function that tells the value when the page is asked for, so that what nobody asks for costs
// nothing but the counting.
#pragma once

#include <absl/synchronization/mutex.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace base {

// Any thread. Each thread adds in a place of its own, so that two never fight over a cache line: 4 ns, however many
// add. (A clock reading takes ten times that, and for it requests are not timed.) A kilobyte of memory: for what
// happens often, not for what there are many of.
class Counter {
 public:
  void add(std::uint64_t n) { places_[place_of_this_thread()].value.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t get() const {
    std::uint64_t sum = 0;
    for (const auto& place : places_) sum += place.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr std::size_t kPlaces = 16;  // more threads than that share
  struct alignas(64) Place {
    std::atomic<std::uint64_t> value{0};
  };
  static std::size_t place_of_this_thread() {
    static std::atomic<std::size_t> next{0};
    thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kPlaces;
    return mine;
  }

  std::array<Place, kPlaces> places_;
};

// What a metric is called, by the conventions of Prometheus: `weir_`, the thing, the unit; `_total` at the end says
// that it only rises, and everything else is a gauge.
struct MetricName {
  std::string name;
  std::string unit;  // what one is: "bytes", "seconds", "partitions"; the page says it
  std::string help;  // one sentence without its full stop
};
// Why it breaks those conventions, or nothing.
std::optional<std::string> find_fault(const MetricName& name);

// One value of a metric that has several, told apart by labels.
struct Sample {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

class Metrics {
 public:
  // `read` is called by whoever asks for the page, one at a time, without limit in time: it must not wait for a disk or
  // for anybody else. What it uses outlives the last page.
  void add(MetricName name, std::function<double()> read) ABSL_LOCKS_EXCLUDED(mutex_);
  void add_family(MetricName name, std::function<std::vector<Sample>()> read) ABSL_LOCKS_EXCLUDED(mutex_);

  // Prometheus' text format 0.0.4, in the order of the names.
  std::string page() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Metric {
    MetricName name;
    std::function<std::vector<Sample>()> read;
  };
  // Held while the page is made: taken before every other lock.
  mutable absl::Mutex mutex_;
  std::vector<Metric> metrics_ ABSL_GUARDED_BY(mutex_);  // by name
};

}  // namespace base
