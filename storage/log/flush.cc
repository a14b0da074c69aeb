#include "storage/log/flush.h"

#include "storage/log/producer_snapshot.h"

namespace storage {

base::Status Flush::finish(std::vector<std::shared_ptr<base::File>>& made) const {
  if (to_finish.empty() || !recovery_point->enter(ticket)) return {};
  base::Status done;
  for (const auto& work : to_finish) {
    auto finished = work->run();
    if (!finished) {
      done = finished.error();
      break;
    }
    for (auto& file : *finished)
      if (file) made.push_back(std::move(file));
  }
  recovery_point->leave();
  return done;
}

base::Status Flush::sync() const {
  auto files_to_sync = to_sync;
  if (auto s = finish(files_to_sync); !s) return s;
  for (const auto& file : files_to_sync)
    if (auto s = file->sync(); !s) return s;
  // Storing a snapshot syncs the directory, and with it the names of the files above.
  if (snapshot) return store_producer_snapshot(*files, snapshot->path, snapshot->entries);
  // Once per segment is enough: a flush after every append is to wait for one write of the disk, not for two.
  if (files_to_sync.empty() || recovery_point->is_named(last_segment)) return {};
  if (auto s = files->sync_directory(directory); !s) return s;
  recovery_point->named(last_segment, ticket);
  return {};
}

base::Status Flush::run() const {
  if (auto s = health->check(); !s) return s;
  if (!recovery_point->current(ticket)) return {};
  auto done = sync();
  if (!recovery_point->current(ticket)) {
    // The log was cut meanwhile: a snapshot of what is gone must not be found later, when other records are there.
    if (snapshot) (void)files->remove(snapshot->path);
    return {};
  }
  if (!done) return health->watch(done);
  recovery_point->raise(to, ticket);
  recovery_point->sealed_below(whole_below, ticket);
  return {};
}

}  // namespace storage
