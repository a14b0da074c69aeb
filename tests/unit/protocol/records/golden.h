// Reads tests/golden/records/records.golden: what Kafka's own Java library writes, and finds in it when it reads.
#pragma once

#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/check.h"
#include "protocol/records/batch.h"
#include "protocol/records/legacy.h"
#include "protocol/records/record.h"

namespace golden {

using OptionalText = std::optional<std::string>;

// A record of any magic, owned, so that two can be compared.
struct PlainRecord {
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  OptionalText key;
  OptionalText value;
  std::vector<std::pair<std::string, OptionalText>> headers;

  bool operator==(const PlainRecord&) const = default;
};

struct Sample {
  std::string name;
  int magic = 0;
  std::string codec;
  std::string bytes;
  std::vector<PlainRecord> records;

  std::span<const std::byte> span() const { return base::as_bytes(bytes); }
};

struct Conversion {
  std::string name;
  std::string from;
  int to_magic = 0;
  std::int64_t first_offset = 0;
  std::string bytes;
};

inline std::string from_hex(const std::string& hex) {
  std::string out;
  if (hex == "-") return out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

inline OptionalText optional_from_hex(const std::string& hex) {
  return hex == "null" ? OptionalText() : OptionalText(from_hex(hex));
}

// GoldenRecords.fillMany()
inline std::vector<PlainRecord> many(int magic, std::int64_t base_offset) {
  std::vector<PlainRecord> out;
  for (int i = 0; i < 800; ++i)
    out.push_back({base_offset + i,
                   magic == 0 ? -1 : 1700000000000 + i,
                   "key-" + std::to_string(i % 7),
                   "a line of a log file that repeats itself, as lines of log files do, number " + std::to_string(i),
                   {}});
  return out;
}

struct Golden {
  std::map<std::string, Sample> samples;
  std::vector<Conversion> conversions;

  static Golden load() {
    Golden all;
    std::ifstream file(WEIR_TEST_DATA "/golden/records/records.golden");
    base::invariant(file.good(), "records.golden is there");
    std::string line;
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string kind, name;
      words >> kind >> name;
      if (kind == "bytes") {
        Sample& sample = all.samples[name];
        std::string hex;
        sample.name = name;
        words >> sample.magic >> sample.codec >> hex;
        sample.bytes = from_hex(hex);
      } else if (kind == "record") {
        all.samples.at(name).records.push_back(record(words));
      } else if (kind == "many") {
        Sample& sample = all.samples.at(name);
        sample.records = many(sample.magic, sample.magic == 2 ? 0 : 500);
      } else if (kind == "down") {
        Conversion c{.name = name, .from = {}, .bytes = {}};
        std::string hex;
        words >> c.from >> c.to_magic >> c.first_offset >> hex;
        c.bytes = from_hex(hex);
        all.conversions.push_back(c);
      }
    }
    return all;
  }

 private:
  static PlainRecord record(std::istringstream& words) {
    PlainRecord r;
    std::string key, value, header;
    words >> r.offset >> r.timestamp >> key >> value;
    r.key = optional_from_hex(key);
    r.value = optional_from_hex(value);
    while (words >> header) {
      const auto equals = header.find('=');
      r.headers.emplace_back(header.substr(0, equals), optional_from_hex(header.substr(equals + 1)));
    }
    return r;
  }
};

inline OptionalText text(const protocol::OptionalBytes& bytes) {
  return bytes ? OptionalText(base::as_text(*bytes)) : std::nullopt;
}

// Everything our readers find in a range of entries; stops the test program at anything malformed.
inline std::vector<PlainRecord> read_all(std::span<const std::byte> entries) {
  std::vector<PlainRecord> out;
  protocol::EntryCursor cursor(entries);
  while (const auto entry = cursor.next()) {
    base::invariant(entry->crc_ok(), "a valid checksum");
    if (entry->is_batch()) {
      const auto batch = entry->batch();
      protocol::RecordReader reader(batch);
      protocol::RecordView r;
      while (reader.next(r)) {
        PlainRecord plain{protocol::offset_of(batch, r).raw,
                          base::to_ms(protocol::timestamp_of(batch, r)),
                          text(r.key),
                          text(r.value),
                          {}};
        auto headers = r.headers();
        while (const auto header = headers.next()) plain.headers.emplace_back(header->key, text(header->value));
        out.push_back(std::move(plain));
      }
      base::invariant(reader.status().ok(), reader.status() ? "" : reader.status().error().detail);
    } else {
      protocol::LegacyReader reader(*entry);
      protocol::LegacyRecordView r;
      while (reader.next(r)) {
        base::invariant(r.crc_ok(), "a valid checksum inside");
        out.push_back({r.offset.raw, base::to_ms(r.timestamp), text(r.key), text(r.value), {}});
      }
      base::invariant(reader.status().ok(), reader.status() ? "" : reader.status().error().detail);
    }
  }
  base::invariant(cursor.at_end(), "nothing but whole entries");
  return out;
}

}  // namespace golden
