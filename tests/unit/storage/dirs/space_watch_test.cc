#include "storage/dirs/space_watch.h"

#include <catch2/catch.hpp>

#include "tests/support/storage/faulty_files.h"

using namespace storage;
using namespace storage::testing;
using base::ErrorCode;
using base::fail;

TEST_CASE("clients may append what lies above the least free space, and a full disk opens again with some to spare") {
  CHECK(room_in({.free = 1500, .least = 1000}) == 500);
  CHECK(room_in({.free = 1000, .least = 1000}) == 1);
  CHECK(room_in({.free = 999, .least = 1000}) == 0);
  CHECK(room_in({.free = 0, .least = 0}) > 0);  // switched off: the disk itself will say
  CHECK(room_in({.free = 1049, .least = 1000, .was_full = true}) == 0);
  CHECK(room_in({.free = 1050, .least = 1000, .was_full = true}) == 50);
  constexpr auto kMost = ~std::uint64_t{0};
  CHECK(room_in({.free = kMost, .least = 0}) > 0);
  CHECK(room_in({.free = kMost, .least = kMost}) > 0);
}

TEST_CASE("a full disk is told from a broken one, except where data may be lost") {
  const auto storage = [](const std::string& detail) { return base::Error{ErrorCode::kafka_storage_error, detail}; };
  CHECK(base::is_out_of_space(storage("write /d/t-0/0.log: No space left on device")));
  CHECK(base::is_out_of_space(storage("open /d/t-0/0.log: Disk quota exceeded")));
  CHECK_FALSE(base::is_out_of_space(storage("sync /d/t-0/0.log: No space left on device")));
  CHECK_FALSE(base::is_out_of_space(storage("write /d/t-0/0.log: Input/output error")));
  CHECK_FALSE(base::is_out_of_space({ErrorCode::corrupt_message, "No space left on device"}));

  DirectoryHealth directory("/d", nullptr);
  CHECK(directory.has_room());
  const base::Status full = storage("write x: No space left on device");
  CHECK_FALSE(directory.watch(full).ok());
  CHECK(directory.online());
  CHECK_FALSE(directory.has_room());
  CHECK_FALSE(directory.insist(full).ok());
  CHECK_FALSE(directory.online());
}

TEST_CASE("a directory is closed to clients while its disk is nearly full, and opens by itself") {
  FaultyFiles files;
  base::ManualClock clock;
  auto directory = std::make_shared<DirectoryHealth>("/data/a", nullptr);
  std::uint64_t least = 1000;
  SpaceWatch watch(files, clock, {directory}, [&] { return least; });
  files.make_room(5000);
  watch.check();
  CHECK(directory->has_room());
  // What is appended between two looks counts.
  directory->use_room(4000);
  CHECK_FALSE(directory->has_room());
  files.make_room(900);
  watch.check();
  CHECK_FALSE(directory->has_room());
  CHECK(directory->online());
  files.make_room(1010);
  watch.check();
  CHECK_FALSE(directory->has_room());
  files.make_room(1100);
  watch.check();
  CHECK(directory->has_room());
  // The least may be changed while the broker runs.
  least = 2000;
  watch.check();
  CHECK_FALSE(directory->has_room());
  least = 0;
  watch.check();
  CHECK(directory->has_room());
  // A write met a full disk before the next look.
  directory->set_room(0);
  files.make_room(50);
  watch.check();
  CHECK(directory->has_room());
}
