// Who a data directory belongs to: the file `meta.properties` (pure).
//
//   #
//   #Sun Nov 22 18:00:00 UTC 2026
//   broker.id=0
//   version=0
//   cluster.id=Xb1WQ-5hQ3Sv_rV1ZlTjUg
//
// Keys in any order; others (3.7+: directory.id) are tolerated. `version=1` is KRaft's form: a broker of this kind must
// not touch such a directory.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"

namespace storage {

struct Identity {
  std::optional<base::BrokerId> broker_id;
  std::optional<std::string> cluster_id;
  bool operator==(const Identity&) const = default;
};

// Errors do not name the file.
base::Result<Identity> parse_identity(std::string_view text);
std::string format_identity(const Identity& identity, base::Timestamp now);

// May a broker of this id in this cluster use a directory that says `stored`? What is not known yet agrees with all.
// Texts begin as Apache Kafka 2.7's do.
base::Status check_identity(const Identity& stored, const Identity& ours);

}  // namespace storage
