#include "storage/dirs/identity.h"

#include <array>
#include <chrono>

#include "config/properties.h"
#include "storage/dirs/checkpoints.h"

namespace storage {

using base::ErrorCode;
using base::fail;

namespace {

// "Sun Nov 22 18:00:00 UTC 2026": how java.util.Date prints itself.
std::string java_date(base::Timestamp now) {
  constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(now - day)};
  return fmt::format("{} {} {:02} {:02}:{:02}:{:02} UTC {}", kDays[std::chrono::weekday{day}.c_encoding()],
                     kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     static_cast<int>(date.year()));
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

base::Result<Identity> parse_identity(std::string_view text) {
  auto properties = config::parse_properties(text, [](auto) { return true; });
  if (!properties) return properties.error();
  Identity identity;
  std::optional<std::string> version;
  bool has_node_id = false;
  for (const auto& property : *properties) {
    const auto value = trimmed(property.value);
    if (property.key == "version") version = std::string(value);
    if (property.key == "node.id") has_node_id = true;
    if (property.key == "cluster.id") identity.cluster_id = std::string(value);
    if (property.key == "broker.id") {
      auto id = parse_number<std::int32_t>(value);
      if (!id) return fail(ErrorCode::invalid_config, "broker.id: {}", id.error().detail);
      identity.broker_id = base::BrokerId{*id};
    }
  }
  if (version == "1" || has_node_id)
    return fail(ErrorCode::invalid_config,
                "it was formatted for KRaft (version=1); this broker keeps its metadata in ZooKeeper or embedded, and "
                "would not understand the data. Use other log.dirs");
  if (!version) return fail(ErrorCode::invalid_config, "it has no version");
  if (*version != "0") return fail(ErrorCode::invalid_config, "version '{}' is not known", *version);
  return identity;
}

std::string format_identity(const Identity& identity, base::Timestamp now) {
  auto text = fmt::format("#\n#{}\n", java_date(now));
  if (identity.broker_id) text += fmt::format("broker.id={}\n", *identity.broker_id);
  text += "version=0\n";
  if (identity.cluster_id) text += config::write_property("cluster.id", *identity.cluster_id) + "\n";
  return text;
}

base::Status check_identity(const Identity& stored, const Identity& ours) {
  if (stored.cluster_id && ours.cluster_id && *stored.cluster_id != *ours.cluster_id)
    return fail(ErrorCode::inconsistent_cluster_id,
                "The Cluster ID {} doesn't match stored clusterId Some({}) in meta.properties. The broker is about to "
                "join another cluster than the one its data come from: check zookeeper.connect, or use other log.dirs",
                *ours.cluster_id, *stored.cluster_id);
  if (stored.broker_id && ours.broker_id && *stored.broker_id != *ours.broker_id)
    return fail(ErrorCode::invalid_config,
                "Configured broker.id {} doesn't match stored broker.id {} in meta.properties. If the data were moved "
                "here, set broker.id={}; for a new broker use empty log.dirs",
                *ours.broker_id, *stored.broker_id, *stored.broker_id);
  return {};
}

}  // namespace storage
