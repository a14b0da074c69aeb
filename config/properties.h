// The file format of server.properties: Java properties (java.util.Properties, "load"), with one extension.
//
//   key=value   key: value   key value        the first =, : or blank ends the key
//   # comment   ! comment                     only at the beginning of a line
//   key=a,\                                   a backslash joins the next line, whose leading blanks are dropped
//       b
//   \t \n \r \f \\ \= \: \  \#  \uXXXX        escapes; \ before anything else just disappears
//
// Bytes are UTF-8; a line that is not valid UTF-8 is taken for ISO-8859-1, Java's own encoding of these files.
// The extension: a blank followed by # ends a value, because operators write comments behind values. Secrets keep
// their #, and a # that shall stay can be written \#.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace config {

struct Property {
  std::string key;
  std::string value;  // leading blanks dropped, trailing ones kept
  int line = 0;       // where it begins, from 1
  bool comment_dropped = false;
};

// Every entry in file order, duplicates included: the last one counts. INVALID_CONFIG with the line for a \u without
// four hexadecimal digits. `keeps_hash` tells for which keys a # is part of the value.
base::Result<std::vector<Property>> parse_properties(
    std::string_view text, const std::function<bool(std::string_view key)>& keeps_hash = [](auto) { return false; });

// The line that reads back as this key and value, in ASCII.
std::string write_property(std::string_view key, std::string_view value);

}  // namespace config
