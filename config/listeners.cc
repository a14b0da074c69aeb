#include "config/listeners.h"

#include <absl/container/btree_map.h>
#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/broker_settings.h"
#include "config/value.h"

namespace config {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

using ProtocolMap = absl::btree_map<std::string, SecurityProtocol>;

template <class... Args>
base::Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::invalid_config, format, std::forward<Args>(args)...);
}

std::vector<std::string> items_of(std::string_view csv) {
  auto items = split_list(csv);
  std::erase(items, "");
  return items;
}

Result<ProtocolMap> parse_protocol_map(std::string_view text) {
  constexpr std::string_view kKey = "listener.security.protocol.map";
  ProtocolMap map;
  if (trim(text).empty()) return map;
  for (const auto& item : split_list(text)) {
    const auto colon = item.rfind(':');
    if (colon == std::string::npos)
      return invalid("Error parsing configuration property '{}': '{}' is not of the form <listener>:<protocol>", kKey,
                     item);
    const auto protocol_name = trim(std::string_view(item).substr(colon + 1));
    const auto protocol = security_protocol_from(protocol_name);
    if (!protocol) return invalid("Invalid security protocol `{}` defined in {}", protocol_name, kKey);
    map[upper_case(trim(std::string_view(item).substr(0, colon)))] = *protocol;
  }
  return map;
}

// NAME://host:port, NAME://[v6]:port, NAME://:port.
Result<Listener> parse_listener(const std::string& text, const ProtocolMap& protocols) {
  const auto unparsable = [&] { return invalid("Unable to parse {} to a broker endpoint", text); };
  const auto scheme = text.rfind("://");
  const auto colon = text.rfind(':');
  if (scheme == std::string::npos || colon < scheme + 3) return unparsable();

  auto host = std::string_view(text).substr(scheme + 3, colon - scheme - 3);
  if (host.starts_with('[')) host.remove_prefix(1);
  if (host.ends_with(']')) host.remove_suffix(1);
  const auto allowed_in_host = [](unsigned char c) {
    return absl::ascii_isalnum(c) || std::string_view("-%._:").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (!std::all_of(host.begin(), host.end(), allowed_in_host)) return unparsable();

  const auto digits = std::string_view(text).substr(colon + 1);
  int port = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return unparsable();
  if (port < 0 || port > 65535) return invalid("port {} of {} is not between 0 and 65535", port, text);

  auto name = upper_case(trim(std::string_view(text).substr(0, scheme)));
  const auto protocol = protocols.find(name);
  if (protocol == protocols.end()) return invalid("No security protocol defined for listener {}", name);
  return Listener{.name = std::move(name),
                  .protocol = protocol->second,
                  .host = std::string(host),
                  .port = static_cast<std::uint16_t>(port)};
}

bool is_ipv6(std::string_view host) { return host.find(':') != std::string_view::npos; }
bool is_ipv4(std::string_view host) {
  return !host.empty() &&
         std::all_of(host.begin(), host.end(), [](unsigned char c) { return absl::ascii_isdigit(c) || c == '.'; });
}

// One port may serve one IPv4 and one IPv6 address; otherwise ports differ (0 means any free one).
bool may_share_port(const Listener& a, const Listener& b) {
  return a.port == 0 || a.port != b.port || (is_ipv4(a.host) && is_ipv6(b.host)) ||
         (is_ipv6(a.host) && is_ipv4(b.host));
}

enum class Ports { must_differ, may_repeat };

Result<std::vector<Listener>> parse_listeners(std::string_view text, const ProtocolMap& protocols, Ports ports) {
  std::vector<Listener> listeners;
  for (const auto& item : items_of(text)) {
    auto listener = parse_listener(item, protocols);
    if (!listener) return invalid("Error creating broker listeners from '{}': {}", text, listener.error().detail);
    listeners.push_back(std::move(*listener));
  }
  for (std::size_t i = 0; i < listeners.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      if (ports == Ports::must_differ && !may_share_port(listeners[i], listeners[j]))
        return invalid("requirement failed: Each listener must have a different port, listeners: {}", text);
      if (listeners[i].name == listeners[j].name)
        return invalid("requirement failed: Each listener must have a different name, listeners: {}", text);
    }
  return listeners;
}

std::string names_of(const std::vector<Listener>& listeners) {
  std::vector<std::string> names;
  for (const auto& listener : listeners) names.push_back(listener.name);
  return join(names, ",");
}

const Listener* find(const std::vector<Listener>& listeners, std::string_view name) {
  const auto found =
      std::find_if(listeners.begin(), listeners.end(), [&](const Listener& each) { return each.name == name; });
  return found == listeners.end() ? nullptr : &*found;
}

bool is_wildcard(std::string_view host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

Result<std::vector<Listener>> bound_listeners(const BrokerFields& settings, const ProtocolMap& protocols) {
  if (settings.listeners) return parse_listeners(*settings.listeners, protocols, Ports::must_differ);
  return parse_listeners(fmt::format("PLAINTEXT://{}:{}", settings.host_name, settings.port), protocols,
                         Ports::must_differ);
}

Result<std::string> inter_broker_listener(const ListenerInput& input, const ProtocolMap& protocols) {
  const auto& settings = input.settings;
  if (settings.inter_broker_listener_name) {
    if (input.inter_broker_protocol_given)
      return invalid("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.");
    auto name = upper_case(*settings.inter_broker_listener_name);
    if (!protocols.contains(name))
      return invalid(
          "Listener with name {} defined in inter.broker.listener.name not found in listener.security.protocol.map.",
          name);
    return name;
  }
  return upper_case(settings.security_inter_broker_protocol);
}

// Kafka's requirements between the names.
Status check_names(const Listeners& listeners) {
  const auto options = names_of(listeners.advertised);
  if (!listeners.find_advertised(listeners.inter_broker))
    return invalid(
        "requirement failed: inter.broker.listener.name must be a listener name defined in advertised.listeners. "
        "The valid options based on currently configured listeners are {}",
        options);
  for (const auto& listener : listeners.advertised)
    if (!listeners.find_bound(listener.name))
      return invalid(
          "requirement failed: advertised.listeners listener names must be equal to or a subset of the ones defined in "
          "listeners. Found {}. The valid options based on the current configuration are {}",
          options, names_of(listeners.bound));
  if (!listeners.control_plane) return {};
  if (!listeners.find_advertised(*listeners.control_plane))
    return invalid(
        "requirement failed: control.plane.listener.name must be a listener name defined in advertised.listeners. The "
        "valid options based on currently configured listeners are {}",
        options);
  if (*listeners.control_plane == listeners.inter_broker)
    return invalid(
        "requirement failed: control.plane.listener.name, when defined, should have a different value from the inter "
        "broker listener name. Currently they both have the value {}",
        *listeners.control_plane);
  return {};
}

}  // namespace

std::string_view name_of(SecurityProtocol protocol) {
  switch (protocol) {
    case SecurityProtocol::plaintext:
      return "PLAINTEXT";
    case SecurityProtocol::ssl:
      return "SSL";
    case SecurityProtocol::sasl_plaintext:
      return "SASL_PLAINTEXT";
    case SecurityProtocol::sasl_ssl:
      return "SASL_SSL";
  }
  return "UNKNOWN";
}

std::optional<SecurityProtocol> security_protocol_from(std::string_view name) {
  using enum SecurityProtocol;
  const auto capitals = upper_case(name);
  for (const auto protocol : {plaintext, ssl, sasl_plaintext, sasl_ssl})
    if (capitals == name_of(protocol)) return protocol;
  return std::nullopt;
}

std::string Listener::text() const {
  return is_ipv6(host) ? fmt::format("{}://[{}]:{}", name, host, port) : fmt::format("{}://{}:{}", name, host, port);
}

const Listener* Listeners::find_bound(std::string_view name) const { return find(bound, name); }
const Listener* Listeners::find_advertised(std::string_view name) const { return find(advertised, name); }

Result<ListenersOutcome> work_out_listeners(const ListenerInput& input, const HostName& host_name) {
  const auto& settings = input.settings;
  auto protocols = parse_protocol_map(settings.listener_security_protocol_map);
  if (!protocols) return protocols.error();

  ListenersOutcome outcome;
  auto& listeners = outcome.listeners;
  auto bound = bound_listeners(settings, *protocols);
  if (!bound) return bound.error();
  listeners.bound = std::move(*bound);

  const bool legacy = settings.advertised_host_name || settings.advertised_port;
  if (settings.advertised_listeners || legacy) {
    const auto text = settings.advertised_listeners
                          ? *settings.advertised_listeners
                          : fmt::format("PLAINTEXT://{}:{}", settings.advertised_host_name.value_or(settings.host_name),
                                        settings.advertised_port.value_or(settings.port));
    auto advertised = parse_listeners(text, *protocols, Ports::may_repeat);
    if (!advertised) return advertised.error();
    listeners.advertised = std::move(*advertised);
  } else {
    listeners.advertised = listeners.bound;
  }

  auto inter_broker = inter_broker_listener(input, *protocols);
  if (!inter_broker) return inter_broker.error();
  listeners.inter_broker = std::move(*inter_broker);
  if (settings.control_plane_listener_name) listeners.control_plane = upper_case(*settings.control_plane_listener_name);
  if (auto checked = check_names(listeners); !checked) return checked.error();

  std::optional<std::string> own_name;  // asked for once, and only when needed
  for (auto& listener : listeners.advertised) {
    if (!is_wildcard(listener.host)) continue;
    if (settings.advertised_listeners && !listener.host.empty())
      return invalid(
          "requirement failed: advertised.listeners cannot use the nonroutable meta-address {}. Use a routable IP "
          "address.",
          listener.host);
    if (!own_name) own_name = host_name();
    listener.host = *own_name;
    outcome.notices.push_back(
        fmt::format("listener {} is bound to every address and has no address in advertised.listeners: clients are "
                    "sent to this host's name, {}:{}; set advertised.listeners if they cannot resolve it",
                    listener.name, listener.host, listener.port));
  }
  return outcome;
}

}  // namespace config
