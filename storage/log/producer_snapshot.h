// Producers at one offset of a log, as a file `<offset>.snapshot`. Big-endian:
//    0   2  version 1
//    2   4  CRC-32C of bytes 6 to the end
//    6   4  number of entries
//   10   …  entries of 46 bytes:
//             0   8  producer id
//             8   2  epoch
//            10   4  last sequence          -1: no batch, known from a marker alone
//            14   8  last offset            -1: the same
//            22   4  last offset - first offset of the last batch
//            26   8  timestamp              of what the producer appended last, marker included
//            34   4  coordinator epoch      -1: none
//            38   8  first offset of the open transaction, -1: none
// A snapshot that cannot be believed is an error: the loader then deletes it and replays from an older one.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_system.h"
#include "storage/log/producers.h"

namespace storage {

base::Result<std::vector<ProducerEntry>> parse_producer_snapshot(std::span<const std::byte> bytes);
std::string format_producer_snapshot(std::span<const ProducerEntry> entries);

// `corrupt_message` when the contents are wrong, `kafka_storage_error` when the disk is.
base::Result<std::vector<ProducerEntry>> load_producer_snapshot(base::FileSystem& files, const std::string& path);
base::Status store_producer_snapshot(base::FileSystem& files, const std::string& path,
                                     std::span<const ProducerEntry> entries);

}  // namespace storage
