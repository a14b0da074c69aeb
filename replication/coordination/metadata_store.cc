#include "replication/coordination/metadata_store.h"

namespace replication {

std::string_view store_code_name(StoreCode code) {
  switch (code) {
    case StoreCode::ok:
      return "ok";
    case StoreCode::no_node:
      return "no_node";
    case StoreCode::node_exists:
      return "node_exists";
    case StoreCode::bad_version:
      return "bad_version";
    case StoreCode::not_empty:
      return "not_empty";
    case StoreCode::no_children_for_ephemeral:
      return "no_children_for_ephemeral";
    case StoreCode::denied:
      return "denied";
    case StoreCode::session_expired:
      return "session_expired";
    case StoreCode::closed:
      return "closed";
    case StoreCode::full:
      return "its disk is full";
    case StoreCode::failed:
      return "failed";
  }
  return "?";
}

bool is_node_path(std::string_view path) {
  return path.size() > 1 && path.front() == '/' && path.back() != '/' && path.find("//") == std::string_view::npos &&
         path.find('\0') == std::string_view::npos;
}

base::Error store_error(StoreCode code, std::string_view what) {
  return base::fail(base::ErrorCode::unknown_server_error, "metadata store: {}: {}", store_code_name(code), what);
}

void get_all(MetadataStore& store, const std::vector<std::string>& paths,
             std::function<void(std::vector<Reply<Node>>)> then) {
  struct Gathering {
    std::vector<Reply<Node>> replies;
    std::size_t missing;
    std::function<void(std::vector<Reply<Node>>)> then;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->replies.resize(paths.size());
  gathering->missing = paths.size() + 1;
  gathering->then = std::move(then);
  const auto arrived = [gathering] {
    if (--gathering->missing == 0) gathering->then(std::move(gathering->replies));
  };
  for (std::size_t i = 0; i < paths.size(); ++i)
    store.get(paths[i], [gathering, arrived, i](Reply<Node> reply) {
      gathering->replies[i] = std::move(reply);
      arrived();
    });
  // Behind all the others, and never inside this call: also when there are no others.
  store.exists("/", [arrived](const Reply<Stat>&) { arrived(); });
}

}  // namespace replication
