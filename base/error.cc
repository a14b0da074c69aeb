#include "base/error.h"

#include <algorithm>

namespace base {
namespace {

std::string upper(std::string_view name) {
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return out;
}

}  // namespace

std::string error_name(ErrorCode code) {
  switch (code) {
#define WEIR_ERROR(number, name) \
  case ErrorCode::name:          \
    return upper(#name);
#include "base/error_codes.inc"
#undef WEIR_ERROR
  }
  return fmt::format("ERROR_{}", static_cast<int>(code));
}

std::string Error::text() const { return detail.empty() ? error_name(code) : error_name(code) + ": " + detail; }

}  // namespace base
