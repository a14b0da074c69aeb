// Bodies of the templates in codec.h; included only by messages/registry_<family>.cc.
#pragma once

#include "protocol/codec.h"
#include "protocol/wire/printer.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace protocol {

template <class M>
base::Status decode(std::span<const std::byte> body, std::int16_t version, M& out) {
  Reader reader(body, M::api.at(version));
  reader.object(out);
  if (reader.ok()) return {};
  return base::fail(base::ErrorCode::invalid_request, "{} v{}: cannot read {}", M::api.name, version,
                    reader.failed_at());
}

namespace codec_detail {

// `prologue` writes size, header; it is called once to measure and once to write.
template <class M>
base::BufferChain encode(const M& message, Version version, auto&& prologue) {
  Writer measure(nullptr, version);
  prologue(measure, std::size_t{0});
  measure.object(message);

  std::vector<Splice> splices;
  base::Buffer memory(measure.memory_bytes());
  Writer writer(memory.data(), version, &splices);
  prologue(writer, measure.total_bytes());
  writer.object(message);
  base::invariant(writer.total_bytes() == measure.total_bytes(), "a message is as long as it was measured");

  base::BufferChain chain;
  if (splices.empty()) {
    chain.append(std::move(memory));
    return chain;
  }
  const auto whole = std::move(memory).share();
  std::size_t at = 0;
  for (const auto& splice : splices) {
    chain.append(base::Slice{whole.owner, whole.bytes.subspan(at, splice.at - at)});
    chain.append(*splice.pieces);
    at = splice.at;
  }
  chain.append(base::Slice{whole.owner, whole.bytes.subspan(at)});
  return chain;
}

inline void put_size(Writer& w, std::size_t total) {
  w.put(static_cast<std::int32_t>(total == 0 ? 0 : total - sizeof(std::int32_t)));
}

}  // namespace codec_detail

template <class M>
base::BufferChain encode_response(std::int32_t correlation_id, std::int16_t version, const M& response) {
  return codec_detail::encode(response, M::api.at(version), [&](Writer& w, std::size_t total) {
    codec_detail::put_size(w, total);
    w.put(correlation_id);
    if (response_header_version(M::api, version) >= 1) w.put_varuint(0);
  });
}

template <class M>
base::BufferChain encode_request(const RequestHeader& header, const M& request) {
  return codec_detail::encode(request, M::api.at(header.api_version), [&](Writer& w, std::size_t total) {
    codec_detail::put_size(w, total);
    w.put(header.api_key);
    w.put(header.api_version);
    w.put(header.correlation_id);
    const auto header_version = request_header_version(M::api, header.api_version);
    if (header_version >= 1) {
      w.put(static_cast<std::int16_t>(header.client_id ? header.client_id->size() : -1));
      if (header.client_id) w.raw(base::as_bytes(*header.client_id));
    }
    if (header_version >= 2) w.put_varuint(0);
  });
}

template <class M>
base::BufferChain encode_body(std::int16_t version, const M& message) {
  return codec_detail::encode(message, M::api.at(version), [](Writer&, std::size_t) {});
}

template <class M>
std::string print(const M& message, std::int16_t version) {
  return Printer(M::api.at(version)).object(message);
}

template <class M>
std::string print_schema(std::int16_t version) {
  return SchemaPrinter(M::api.at(version)).template object<M>();
}

// One line per API in a registry_<family>.cc.
#define WEIR_COMPILE_MESSAGE(M)                                                  \
  template base::Status decode<M>(std::span<const std::byte>, std::int16_t, M&); \
  template base::BufferChain encode_body<M>(std::int16_t, const M&);             \
  template std::string print<M>(const M&, std::int16_t);                         \
  template std::string print_schema<M>(std::int16_t);
#define WEIR_COMPILE_API(Name)                                                                          \
  WEIR_COMPILE_MESSAGE(Name##Request)                                                                   \
  WEIR_COMPILE_MESSAGE(Name##Response)                                                                  \
  template base::BufferChain encode_request<Name##Request>(const RequestHeader&, const Name##Request&); \
  template base::BufferChain encode_response<Name##Response>(std::int32_t, std::int16_t, const Name##Response&);

}  // namespace protocol
