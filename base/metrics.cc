#include "base/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace base {
namespace {

bool only_rises(const MetricName& name) { return name.name.ends_with("_total"); }

prometheus::ClientMetric shown(const Sample& sample, bool counter) {
  prometheus::ClientMetric out;
  for (const auto& [label, value] : sample.labels) out.label.push_back({label, value});
  (counter ? out.counter.value : out.gauge.value) = sample.value;
  return out;
}

}  // namespace

std::optional<std::string> find_fault(const MetricName& metric) {
  const auto& name = metric.name;
  if (!name.starts_with("weir_")) return fmt::format("{} does not begin with weir_", name);
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (!std::all_of(name.begin(), name.end(), allowed))
    return fmt::format("{} is not made of small letters, digits and underscores", name);
  if (metric.unit.empty() || metric.help.empty()) return fmt::format("{} lacks its unit or its help", name);
  std::string_view stem = name;
  if (only_rises(metric)) stem.remove_suffix(std::string_view("_total").size());
  for (const std::string_view unit : {"bytes", "seconds", "ratio"})
    if ((metric.unit == unit) != stem.ends_with(fmt::format("_{}", unit)))
      return fmt::format("{} is in {}, and its name says something else", name, metric.unit);
  return std::nullopt;
}

void Metrics::add(MetricName name, std::function<double()> read) {
  add_family(std::move(name),
             [read = std::move(read)] { return std::vector<Sample>{{.labels = {}, .value = read()}}; });
}

void Metrics::add_family(MetricName name, std::function<std::vector<Sample>()> read) {
  const auto fault = find_fault(name);
  invariant(!fault, fault.value_or(""));
  absl::MutexLock lock(&mutex_);
  const auto at = std::lower_bound(metrics_.begin(), metrics_.end(), name.name,
                                   [](const Metric& one, const std::string& text) { return one.name.name < text; });
  invariant(at == metrics_.end() || at->name.name != name.name, "a metric is added once");
  metrics_.insert(at, {std::move(name), std::move(read)});
}

std::string Metrics::page() const {
  std::vector<prometheus::MetricFamily> families;
  absl::MutexLock lock(&mutex_);
  families.reserve(metrics_.size());
  for (const auto& metric : metrics_) {
    const bool counter = only_rises(metric.name);
    auto& family = families.emplace_back();
    family.name = metric.name.name;
    family.help = fmt::format("{} ({})", metric.name.help, metric.name.unit);
    family.type = counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    for (const auto& sample : metric.read()) family.metric.push_back(shown(sample, counter));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace base
