// Bodies of the templates in versioned.h; included only by the files of this folder.
#pragma once

#include <algorithm>

#include "protocol/codec_impl.h"
#include "protocol/internal/versioned.h"
#include "protocol/wire/json_printer.h"

namespace protocol {

template <class M>
base::Result<std::int16_t> read_versioned(std::span<const std::byte> bytes, M& out, NewerVersions newer) {
  const auto version = version_of(bytes);
  if (!version) return base::fail(base::ErrorCode::corrupt_message, "{}: {} bytes", M::api.name, bytes.size());
  const auto known = newer == NewerVersions::as_the_newest ? std::min(*version, M::api.versions.max) : *version;
  if (!M::api.versions.contains(known))
    return base::fail(base::ErrorCode::unsupported_version, "{}: version {} is not known", M::api.name, *version);
  Reader reader(bytes.subspan(sizeof *version), M::api.at(known));
  reader.object(out);
  if (reader.ok()) return *version;
  return base::fail(base::ErrorCode::corrupt_message, "{} v{}: cannot read {}", M::api.name, known, reader.failed_at());
}

template <class M>
base::Buffer write_versioned(std::int16_t version, const M& message) {
  base::invariant(M::api.versions.contains(version), "a record is written in a version it has");
  const auto write = [&](Writer& writer) {
    writer.put(version);
    writer.object(message);
  };
  Writer measure(nullptr, M::api.at(version));
  write(measure);
  base::Buffer out(measure.memory_bytes());
  Writer writer(out.data(), M::api.at(version));
  write(writer);
  return out;
}

template <class M>
std::string print_json(const M& message, std::int16_t version) {
  return JsonPrinter(M::api.at(version)).object(message);
}

#define WEIR_COMPILE_VERSIONED(M)                                                                       \
  WEIR_COMPILE_MESSAGE(M)                                                                               \
  template base::Result<std::int16_t> read_versioned<M>(std::span<const std::byte>, M&, NewerVersions); \
  template base::Buffer write_versioned<M>(std::int16_t, const M&);                                     \
  template std::string print_json<M>(const M&, std::int16_t);

}  // namespace protocol
