// Messages to bytes and back: the entry points that handlers, clients and tests call. They are compiled once per
// family of messages (messages/registry_<family>.cc), so including a message's header costs little.
//
// Pure; any thread. `M` is a request or response struct of protocol/messages.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/buffer.h"
#include "base/error.h"
#include "protocol/wire/header.h"

namespace protocol {

// Reads a body. `invalid_request` names the field by its path. Bytes after the body are left alone, as Kafka does.
// Records in `out` borrow from `body`.
template <class M>
base::Status decode(std::span<const std::byte> body, std::int16_t version, M& out);

// Whole frames, size prefix and header included, ready to send. Record pieces are spliced in, not copied.
template <class M>
base::BufferChain encode_response(std::int32_t correlation_id, std::int16_t version, const M& response);
template <class M>
base::BufferChain encode_request(const RequestHeader& header, const M& request);

// The body alone.
template <class M>
base::BufferChain encode_body(std::int16_t version, const M& message);

// "{name='t' partitions=[...]}", secrets hidden.
template <class M>
std::string print(const M& message, std::int16_t version);

// The fields of one version with their wire types, in the notation of Apache Kafka's schema printer.
template <class M>
std::string print_schema(std::int16_t version);

}  // namespace protocol
