#include "replication/coordination/stored_configs.h"

#include <utility>

namespace replication {

void StoredConfigs::change(Entity entity, Mode mode, Alter alter, Done done) const {
  loop_.post([this, entity = std::move(entity), mode, alter = std::move(alter), done = std::move(done)]() mutable {
    run(run_change(std::move(entity), mode, std::move(alter), std::move(done)), [] {});
  });
}

Task<void> StoredConfigs::run_change(Entity entity, Mode mode, Alter alter, Done done) const {
  const std::string path = paths::config(entity.type, entity.name);
  for (;;) {
    const auto node = co_await store_.get(path);
    if (!node.ok() && node.code != StoreCode::no_node) {
      done(store_error(node.code, path));
      co_return;
    }
    ConfigEntries stored;
    if (node.ok()) {
      auto decoded = decode_config(path, node.value.data);
      if (!decoded) {
        done(decoded.error());
        co_return;
      }
      stored = std::move(*decoded);
    }
    const auto altered = alter(std::move(stored));
    if (!altered || mode == Mode::only_check) {
      done(altered ? base::Status() : base::Status(altered.error()));
      co_return;
    }
    std::vector<Operation> change;
    if (node.ok())
      change.push_back(Set{.path = path, .data = encode_config(*altered), .version = node.value.stat.version});
    else
      change.push_back(Create{.path = path, .data = encode_config(*altered)});
    change.push_back(Create{.path = paths::config_change_prefix(),
                            .data = encode(ConfigChangeNode{.entity_path = entity.type + "/" + entity.name}),
                            .mode = CreateMode::persistent_sequential});
    const auto written = co_await store_.commit(std::move(change));
    switch (written.code) {
      case StoreCode::ok:
        done({});
        co_return;
      case StoreCode::bad_version:
      case StoreCode::node_exists:
      case StoreCode::no_node:
      case StoreCode::session_expired:
        break;  // somebody was faster, or the write may have been lost: once more, on what is there now
      default:
        done(store_error(written.code, path));
        co_return;
    }
  }
}

}  // namespace replication
