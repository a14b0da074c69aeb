#include "broker/network/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"

namespace broker {
namespace {

// TLS record: type handshake, major version 3 (RFC 8446, section 5.1). As a frame size it would be 352 MiB and more.
bool begins_tls(std::span<const std::byte> bytes) {
  return bytes.size() >= 3 && bytes[0] == std::byte{0x16} && bytes[1] == std::byte{0x03} && bytes[2] <= std::byte{0x04};
}

constexpr std::array<std::string_view, 10> kHttpMethods = {"GET ", "POST", "PUT ", "HEAD", "DELE",
                                                           "OPTI", "CONN", "PATC", "TRAC", "PRI "};
// zookeeperAdmin.html, "The Four Letter Words".
constexpr std::array<std::string_view, 16> kFourLetterWords = {"ruok", "stat", "srvr", "mntr", "conf", "cons",
                                                               "crst", "dump", "envi", "srst", "wchs", "wchc",
                                                               "wchp", "isro", "dirs", "hash"};

// ZooKeeper's ConnectRequest after its length: protocol version 0, zxid, timeout, session id, then a password of 16
// bytes. Kafka would take it for Produce version 0.
bool is_zookeeper_session(std::span<const std::byte> bytes) {
  constexpr std::size_t kPasswordLengthAt = 4 + 4 + 8 + 4 + 8;
  if (bytes.size() < kPasswordLengthAt + 4) return false;
  const auto size = base::load_big_endian<std::int32_t>(bytes.data());
  return (size == 44 || size == 45) && base::load_big_endian<std::int32_t>(bytes.data() + 4) == 0 &&
         base::load_big_endian<std::int32_t>(bytes.data() + kPasswordLengthAt) == 16;
}

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// What a stranger sent, safe to print.
std::string shown(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte b : bytes.first(std::min<std::size_t>(bytes.size(), 8))) {
    const auto c = static_cast<unsigned char>(b);
    out += fmt::format("{}{:02x}", out.empty() ? "" : " ", c);
  }
  return out;
}

std::string client_text(std::string_view client_id) {
  if (client_id.empty()) return "a client without client id";
  std::string safe(client_id.substr(0, 64));
  for (char& c : safe)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return fmt::format("client '{}'", safe);
}

}  // namespace

std::optional<Diagnosis> diagnose_first_bytes(std::span<const std::byte> bytes) {
  if (begins_tls(bytes))
    return Diagnosis{Cause::tls_bytes,
                     "it speaks TLS, which no listener of this broker does; set the client's security.protocol to "
                     "PLAINTEXT"};
  if (bytes.size() < 4) return std::nullopt;
  const auto word = base::as_text(bytes.first(4));
  if (contains(kHttpMethods, word))
    return Diagnosis{Cause::http_bytes,
                     "it speaks HTTP to a Kafka listener; a browser, health check or scraper has the wrong port"};
  if (contains(kFourLetterWords, word))
    return Diagnosis{
        Cause::zookeeper_bytes,
        fmt::format("it sent the ZooKeeper command '{}' to a Kafka listener; ask the ZooKeeper port", word)};
  if (is_zookeeper_session(bytes))
    return Diagnosis{Cause::zookeeper_bytes,
                     "a ZooKeeper client talks to a Kafka listener; give it the ZooKeeper address (--zookeeper, "
                     "zookeeper.connect) instead of this one"};
  return std::nullopt;
}

std::optional<Diagnosis> diagnose_frame_size(FrameSize size, std::span<const std::byte> bytes) {
  // A raised socket.request.max.bytes must not make us wait for a TLS hello of 352 MiB.
  if (size.first_on_connection)
    if (auto diagnosis = diagnose_first_bytes(bytes)) return diagnosis;
  if (size.announced_bytes <= 0)
    return Diagnosis{Cause::bad_size, fmt::format("it announced a request of {} bytes; this is not the Kafka protocol "
                                                  "(first bytes {})",
                                                  size.announced_bytes, shown(bytes))};
  if (static_cast<std::size_t>(size.announced_bytes) > size.max_bytes)
    return Diagnosis{Cause::bad_size,
                     fmt::format("it announced a request of {} bytes, more than socket.request.max.bytes={}; not the "
                                 "Kafka protocol (first bytes {}), or a limit set too low",
                                 size.announced_bytes, size.max_bytes, shown(bytes))};
  return std::nullopt;
}

Diagnosis diagnose_api(const RefusedApi& refused) {
  const auto who = client_text(refused.client_id);
  if (refused.known_name.empty())
    return {Cause::unknown_api,
            fmt::format("{} asked for API key {} version {}, which no known Kafka release has; perhaps this is not a "
                        "Kafka client",
                        who, refused.api_key, refused.api_version)};
  if (!refused.served)
    return {Cause::unknown_api,
            fmt::format("{} asked for {} (API key {}) version {}, which this broker does not serve; the client did not "
                        "ask for ApiVersions or ignored the answer",
                        who, refused.known_name, refused.api_key, refused.api_version)};
  return {Cause::unsupported_version,
          fmt::format("{} asked for {} version {}, served are versions {} to {}; the client did not ask for "
                      "ApiVersions or ignored the answer",
                      who, refused.known_name, refused.api_version, refused.served->min, refused.served->max)};
}

}  // namespace broker
