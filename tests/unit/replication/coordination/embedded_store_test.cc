#include "replication/coordination/embedded_store.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <filesystem>

#include "replication/coordination/blocking_store.h"
#include "tests/support/replication/full_disk.h"
#include "tests/support/replication/store_suite.h"

using namespace replication;

namespace {

// A directory that goes away again.
struct TemporaryDirectory {
  TemporaryDirectory() {
    char pattern[] = "/tmp/weir-store-XXXXXX";
    path = mkdtemp(pattern);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  std::string file() const { return path + "/" + std::string(kEmbeddedStoreFile); }
  std::string path;
};

// One life of the broker's store.
struct Life {
  explicit Life(const std::string& file) : embedded(file, loop, clock) { loop.start(); }
  ~Life() {
    embedded.stop();
    loop.stop();
  }
  base::SystemClock clock;
  base::Loop loop{"coordination"};
  EmbeddedStore embedded;
  BlockingStore store{embedded};
};

}  // namespace

TEST_CASE("the embedded store behaves as a metadata store must") {
  TemporaryDirectory directory;
  Life life(directory.file());
  REQUIRE(life.embedded.start().ok());
  test_support::store_suite(life.embedded, life.loop);
}

TEST_CASE("the embedded store keeps persistent nodes and drops ephemeral ones between lives") {
  TemporaryDirectory directory;
  std::int64_t first_session = 0;
  std::int64_t first_czxid = 0;
  {
    Life life(directory.file());
    REQUIRE(life.embedded.start().ok());
    REQUIRE(life.store
                .commit({Create{.path = "/t", .data = "kept"}, Create{.path = "/e", .mode = CreateMode::ephemeral},
                         Create{.path = "/t/n_", .mode = CreateMode::persistent_sequential}})
                .ok());
    REQUIRE(life.store.commit({Set{.path = "/t", .data = "kept too"}}).ok());
    first_session = life.embedded.session_id();
    first_czxid = life.store.get("/e").value.stat.czxid;
  }
  Life life(directory.file());
  REQUIRE(life.embedded.start().ok());
  CHECK(life.embedded.session_id() > first_session);
  CHECK(life.store.get("/t").value.data == "kept too");
  CHECK(life.store.get("/t").value.stat.version == 1);
  CHECK(life.store.get("/e").code == StoreCode::no_node);
  REQUIRE(life.store.commit({Create{.path = "/e", .mode = CreateMode::ephemeral}}).ok());
  CHECK(life.store.get("/e").value.stat.czxid > first_czxid);
  auto next = life.store.commit({Create{.path = "/t/n_", .mode = CreateMode::persistent_sequential}});
  CHECK(next.done.at(0).path == "/t/n_0000000001");
}

TEST_CASE("a commit that was answered survives the process being killed") {
  TemporaryDirectory directory;
  int answered[2];
  REQUIRE(pipe(answered) == 0);
  const pid_t child = fork();
  if (child == 0) {
    auto* life = new Life(directory.file());
    bool fine = life->embedded.start().ok();
    fine = fine && life->store.commit({Create{.path = "/t", .data = "v"}}).ok();
    fine = fine && life->store.commit({Create{.path = "/me", .mode = CreateMode::ephemeral}}).ok();
    const char told = fine ? 'y' : 'n';
    if (write(answered[1], &told, 1) != 1) _exit(2);
    pause();
    _exit(0);
  }
  char told = '?';
  REQUIRE(read(answered[0], &told, 1) == 1);
  REQUIRE(kill(child, SIGKILL) == 0);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  close(answered[0]);
  close(answered[1]);
  REQUIRE(told == 'y');
  Life life(directory.file());
  REQUIRE(life.embedded.start().ok());
  CHECK(life.store.get("/t").value.data == "v");
  CHECK(life.store.get("/me").code == StoreCode::no_node);
}

TEST_CASE("a second broker on the same metadata file is refused with the reason") {
  TemporaryDirectory directory;
  Life first(directory.file());
  REQUIRE(first.embedded.start().ok());
  Life second(directory.file());
  auto refused = second.embedded.start();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().detail.find("in use by another broker") != std::string::npos);
}

TEST_CASE("a metadata file that is none is refused and left alone") {
  TemporaryDirectory directory;
  FILE* file = fopen(directory.file().c_str(), "w");
  for (int i = 0; i < 1000; ++i) fputs("this is no database ", file);
  fclose(file);
  Life life(directory.file());
  auto refused = life.embedded.start();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == base::ErrorCode::kafka_storage_error);
  CHECK(std::filesystem::file_size(directory.file()) == 20000);
}

TEST_CASE("after stop everything asked of the embedded store is answered closed") {
  TemporaryDirectory directory;
  Life life(directory.file());
  REQUIRE(life.embedded.start().ok());
  life.embedded.stop();
  CHECK(life.store.get("/").code == StoreCode::closed);
  CHECK(life.store.commit({Create{.path = "/x"}}).code == StoreCode::closed);
}

TEST_CASE("opening the embedded store leaves only plain files in the log directory") {
  TemporaryDirectory directory;
  Life life(directory.file());
  REQUIRE(life.embedded.start().ok());
  REQUIRE(life.store.commit({Create{.path = "/x"}}).ok());
  for (const auto& entry : std::filesystem::directory_iterator(directory.path)) CHECK(entry.is_regular_file());
}

TEST_CASE("a disk without a free byte is enough for what a broker writes at its starts, and to delete") {
  test_support::FullDisk disk;
  TemporaryDirectory directory;
  {
    Life life(directory.file());
    REQUIRE(life.embedded.start().ok());
    for (int i = 0; i < 50; ++i)
      REQUIRE(life.store.commit({Create{.path = fmt::format("/t{}", i), .data = std::string(2000, 'x')}}).ok());
    REQUIRE(life.store.commit({Create{.path = "/epoch", .data = "0"}}).ok());
  }
  disk.fill();
  for (int start = 0; start < 40; ++start) {
    Life life(directory.file());
    REQUIRE(life.embedded.start().ok());
    REQUIRE(life.store
                .commit({Create{.path = "/me", .data = std::string(500, 'b'), .mode = CreateMode::ephemeral},
                         Set{.path = "/epoch", .data = std::to_string(start)}})
                .ok());
    REQUIRE(life.store.commit({Remove{.path = fmt::format("/t{}", start)}}).ok());
  }
  Life life(directory.file());
  REQUIRE(life.embedded.start().ok());
  CHECK(life.store.get("/epoch").value.data == "39");
}

TEST_CASE("what a full disk has no room for is refused as that, and taken when there is room") {
  test_support::FullDisk disk;
  TemporaryDirectory directory;
  std::vector<std::string> kept;
  {
    Life life(directory.file());
    REQUIRE(life.embedded.start().ok());
    disk.fill();
    StoreCode code = StoreCode::ok;
    const auto create = [&](int i) {
      const auto path = fmt::format("/t{}", i);
      code = life.store.commit({Create{.path = path, .data = std::string(20'000, 'x')}}).code;
      if (code == StoreCode::ok) kept.push_back(path);
      return code == StoreCode::ok;
    };
    for (int i = 0; i < 1000 && create(i);) ++i;
    CHECK(code == StoreCode::full);
    CHECK(kept.size() > 10);
    CHECK(life.store.get(kept.back()).ok());
    CHECK_FALSE(create(2000));
    // Small changes, and what makes room, go on.
    CHECK(life.store.commit({Set{.path = kept.front(), .data = "small"}}).ok());
    for (int i = 0; i < 5; ++i) {
      REQUIRE(life.store.commit({Remove{.path = kept.back()}}).ok());
      kept.pop_back();
    }
    CHECK(create(3000));
    disk.empty();
    for (int i = 4000; i < 4100; ++i) REQUIRE(create(i));
  }
  Life next(directory.file());
  REQUIRE(next.embedded.start().ok());
  CHECK(next.store.children("/").value.size() == kept.size());
  for (const auto& path : kept) REQUIRE(next.store.get(path).ok());
}
