// From the text of server.properties to settings a broker can start with.
//
// The operator is told about everything that will not do what it seems to say: one notice per such key. What is plainly
// wrong is one error: where it stands, Kafka's words, and what is allowed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file_system.h"
#include "base/logging.h"
#include "config/broker_settings.h"

namespace config {

struct Environment {
  HostName host_name;                           // this machine's canonical name
  std::string file_name = "server.properties";  // for messages
};

struct Notice {
  base::LogLevel level = base::LogLevel::info;
  std::string text;
};

struct LoadedSettings {
  BrokerSettings settings;
  std::vector<Notice> notices;  // in the order of the file
};

// `overrides` are what stood behind --override, "key=value"; they win over the file, the last one over the others.
base::Result<LoadedSettings> load_broker_settings(std::string_view file_text, const std::vector<std::string>& overrides,
                                                  const Environment& environment);

// The same from a file. Touches the disk.
base::Result<LoadedSettings> load_broker_settings_file(base::FileSystem& files, const std::string& path,
                                                       const std::vector<std::string>& overrides,
                                                       Environment environment);

// Rules between keys, then the listeners: what load does after the keys themselves are typed. Also for changes while
// the broker runs. The texts are Kafka's.
base::Result<std::vector<std::string>> complete(BrokerSettings& settings, const HostName& host_name);

}  // namespace config
