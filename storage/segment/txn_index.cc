#include "storage/segment/txn_index.h"

#include <algorithm>

#include "base/bytes.h"

namespace storage {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

Status TxnIndex::open() const {
  if (file_) return {};
  auto file = files_.open(path_, base::OpenMode::create_or_open);
  if (!file) return file.error();
  file_ = std::move(file).value();
  return {};
}

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

Status TxnIndex::write_from(std::size_t first) {
  std::vector<std::byte> bytes((entries_->size() - first) * kEntryBytes);
  for (std::size_t i = first; i < entries_->size(); ++i) {
    const auto& txn = (*entries_)[i];
    auto* entry = bytes.data() + (i - first) * kEntryBytes;
    base::store_big_endian<std::int16_t>(entry, 0);
    base::store_big_endian(entry + 2, txn.producer_id.raw);
    base::store_big_endian(entry + 10, txn.first_offset.raw);
    base::store_big_endian(entry + 18, txn.last_offset.raw);
    base::store_big_endian(entry + 26, txn.last_stable_offset.raw);
  }
  if (auto s = open(); !s) return s;
  return file_->write_at(first * kEntryBytes, bytes);
}

Status TxnIndex::append(const AbortedTxn& aborted) {
  auto known = entries();
  if (!known) return known.error();
  if (!entries_->empty() && aborted.last_offset <= entries_->back().last_offset)
    return fail(ErrorCode::corrupt_message, "{}: an abort at {} after one at {}", path_, aborted.last_offset,
                entries_->back().last_offset);
  entries_->push_back(aborted);
  return write_from(entries_->size() - 1);
}

Status TxnIndex::truncate_to(Offset offset) {
  auto known = entries();
  if (!known) return known.error();
  const auto keep = std::find_if(entries_->begin(), entries_->end(),
                                 [&](const AbortedTxn& txn) { return txn.last_offset >= offset; });
  if (keep == entries_->end()) return {};
  if (keep == entries_->begin()) return reset();
  entries_->erase(keep, entries_->end());
  if (auto s = open(); !s) return s;
  return file_->truncate(entries_->size() * kEntryBytes);
}

Status TxnIndex::reset() {
  file_.reset();
  entries_.emplace();
  return files_.remove(path_);
}

}  // namespace storage
