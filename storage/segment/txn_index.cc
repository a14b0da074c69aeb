#include "storage/segment/txn_index.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"

namespace storage {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

Result<const std::vector<AbortedTxn>*> TxnIndex::entries() const {
  if (entries_) return &*entries_;
  auto there = files_.exists(path_);
  if (!there) return there.error();
  std::vector<AbortedTxn> found;
  if (*there) {
    auto contents = base::read_file(files_, path_);
    if (!contents) return contents.error();
    if (contents->size() % kEntryBytes != 0)
      return fail(ErrorCode::corrupt_message, "{} has {} bytes, not a multiple of {}", path_, contents->size(),
                  kEntryBytes);
    const auto bytes = base::as_bytes(*contents);
    for (std::size_t at = 0; at < bytes.size(); at += kEntryBytes) {
      const auto* entry = bytes.data() + at;
      const AbortedTxn txn{.producer_id = base::ProducerId{base::load_big_endian<std::int64_t>(entry + 2)},
                           .first_offset = Offset{base::load_big_endian<std::int64_t>(entry + 10)},
                           .last_offset = Offset{base::load_big_endian<std::int64_t>(entry + 18)},
                           .last_stable_offset = Offset{base::load_big_endian<std::int64_t>(entry + 26)}};
      if (base::load_big_endian<std::int16_t>(entry) != 0 || txn.last_offset < txn.first_offset ||
          (!found.empty() && txn.last_offset <= found.back().last_offset))
        return fail(ErrorCode::corrupt_message, "{} has no sensible entry at {}", path_, at);
      found.push_back(txn);
    }
  }
  entries_ = std::move(found);
  return &*entries_;
}

Result<std::shared_ptr<base::File>> TxnIndex::Rest::write() const {
  if (!entries || entries->empty()) return std::shared_ptr<base::File>{};
  std::vector<std::byte> bytes(entries->size() * kEntryBytes);
  auto* entry = bytes.data();
  for (const auto& txn : *entries) {
    base::store_big_endian<std::int16_t>(entry, 0);
    base::store_big_endian(entry + 2, txn.producer_id.raw);
    base::store_big_endian(entry + 10, txn.first_offset.raw);
    base::store_big_endian(entry + 18, txn.last_offset.raw);
    base::store_big_endian(entry + 26, txn.last_stable_offset.raw);
    entry += kEntryBytes;
  }
  auto file = files->open(path, base::OpenMode::create_or_open);
  if (!file) return file.error();
  if (auto s = (*file)->write_at(0, bytes); !s) return s.error();
  if (auto s = (*file)->truncate(bytes.size()); !s) return s.error();
  return std::shared_ptr<base::File>(std::move(file).value());
}

Result<std::shared_ptr<base::File>> TxnIndex::write() {
  auto file = rest().write();
  if (file) rest_written();
  return file;
}

std::function<void()> TxnIndex::bring_in() const {
  if (entries_ || std::exchange(brought_in_, true)) return nullptr;
  return [&files = files_, path = path_] {
    if (const auto there = files.exists(path); there && *there) (void)base::read_file(files, path);
  };
}

Status TxnIndex::append(const AbortedTxn& aborted) {
  auto known = entries();
  if (!known) return known.error();
  if (!entries_->empty() && aborted.last_offset <= entries_->back().last_offset)
    return fail(ErrorCode::corrupt_message, "{}: an abort at {} after one at {}", path_, aborted.last_offset,
                entries_->back().last_offset);
  entries_->push_back(aborted);
  unwritten_ = true;
  return {};
}

Status TxnIndex::truncate_to(Offset offset) {
  auto known = entries();
  if (!known) return known.error();
  const auto keep = std::find_if(entries_->begin(), entries_->end(),
                                 [&](const AbortedTxn& txn) { return txn.last_offset >= offset; });
  if (keep == entries_->end()) return {};
  if (keep == entries_->begin()) return reset();
  entries_->erase(keep, entries_->end());
  // The others again, whole: an index names no marker that is gone.
  auto written = TxnIndex::Rest{&files_, path_, entries_}.write();
  if (!written) return written.error();
  unwritten_ = false;
  return {};
}

Status TxnIndex::reset() {
  entries_.emplace();
  unwritten_ = false;
  return files_.remove(path_);
}

}  // namespace storage
