#include "replication/coordination/config_changes.h"

#include <utility>

namespace replication {
namespace {
constexpr std::chrono::minutes kKept{15};
}  // namespace

ConfigChanges::ConfigChanges(MetadataStore& store, const base::Clock& clock, Changed changed)
    : store_(store), clock_(clock), changed_(std::move(changed)) {}

void ConfigChanges::start() {
  // Also called when a lost session is replaced: what was announced meanwhile is found by its number.
  watch_ = store_.store().watch_children(std::string(paths::kConfigChanges), [this] {
    look_again_ = true;
    if (!looking_) run(look_until_done(), [] {});
  });
  look_again_ = true;
  run(look_until_done(), [] {});
}

Task<void> ConfigChanges::look_until_done() {
  looking_ = true;
  while (std::exchange(look_again_, false)) co_await look();
  looking_ = false;
}

Task<void> ConfigChanges::look() {
  const auto names = co_await store_.children(std::string(paths::kConfigChanges));
  if (!names.ok()) co_return;
  const bool only_remember = std::exchange(first_look_, false);
  for (const auto& name : names.value) {
    const auto number = paths::sequence(name);
    if (!number) continue;
    if (*number > last_) {
      last_ = *number;
      if (!only_remember) co_await apply(name);
    }
  }
}

Task<void> ConfigChanges::apply(std::string change) {
  const std::string path = std::string(paths::kConfigChanges) + "/" + change;
  const auto node = co_await store_.get(path);
  if (!node.ok()) co_return;
  const auto announced = decode_config_change(path, node.value.data);
  if (!announced) {
    log_.warn("Ignoring a change announcement: {}", announced.error().detail);
    co_return;
  }
  co_await remove_old(path, node.value.stat.ctime);
  const auto& entity = announced->entity_path;
  const auto slash = entity.find('/');
  if (slash == std::string::npos) co_return;
  const std::string type = entity.substr(0, slash);
  const std::string name = entity.substr(slash + 1);
  const std::string config_path = paths::config(type, name);
  const auto stored = co_await store_.get(config_path);
  ConfigEntries entries;
  if (stored.ok() && !stored.value.data.empty()) {
    auto decoded = decode_config(config_path, stored.value.data);
    if (!decoded) {
      log_.error("Ignoring a changed configuration: {}", decoded.error().detail);
      co_return;
    }
    entries = std::move(*decoded);
  } else if (!stored.ok() && stored.code != StoreCode::no_node) {
    co_return;
  }
  log_.info("Configuration of {} changed: {} entries", entity, entries.size());
  changed_(type, name, entries);
}

Task<void> ConfigChanges::remove_old(std::string path, base::Timestamp created) {
  if (clock_.wall() - created < kKept) co_return;
  std::vector<Operation> removal;
  removal.push_back(Remove{.path = path});
  const auto done = co_await store_.commit(std::move(removal));
  (void)done;  // another broker was faster, or the session ended: either way it is not ours to mind
}

}  // namespace replication
