// Standard output in large pieces, and what the parts of this folder share.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/file_system.h"
#include "tools/client/failure.h"

namespace tools {

// stdout's own buffer is small and locked for every call: text gathers here first. One thread.
class Output {
 public:
  static Output& instance() {
    static Output output;
    return output;
  }
  ~Output() { flush(); }
  fmt::memory_buffer& buffer() {
    if (text_.size() > (std::size_t{64} << 10)) flush();
    return text_;
  }
  void flush() {
    std::fwrite(text_.data(), 1, text_.size(), stdout);
    std::fflush(stdout);
    text_.clear();
  }

 private:
  fmt::memory_buffer text_;
};

template <class... Args>
void out(fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(Output::instance().buffer()), format, std::forward<Args>(args)...);
}
inline void out_text(std::string_view text) { Output::instance().buffer().append(text); }

std::string absolute(const std::string& path);
// The offset a segment file is named after.
std::variant<std::int64_t, Failure> base_offset_of(const std::string& path);
// The file of the same segment with another suffix.
std::string sibling(const std::string& path, std::string_view suffix);
std::variant<std::unique_ptr<base::File>, Failure> open_file(base::FileSystem& files, const std::string& path);

}  // namespace tools
