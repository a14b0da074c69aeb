#include "replication/coordination/async_store.h"

namespace replication {

Awaited<std::vector<Reply<Node>>> AsyncStore::get_all(std::vector<std::string> paths) const {
  return Awaited<std::vector<Reply<Node>>>([store = store_, paths = std::move(paths)](auto then) {
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
      store->get(paths[i], [gathering, arrived, i](Reply<Node> reply) {
        gathering->replies[i] = std::move(reply);
        arrived();
      });
    // Behind all the others, and never inside this call: also when there are no others.
    store->exists("/", [arrived](const Reply<Stat>&) { arrived(); });
  });
}

}  // namespace replication
