// ApiVersions: the first question of every client since 0.10, answered from the table of what is served.
#pragma once

#include "broker/dispatch/api_table.h"

namespace broker {

// Any loop may call. Outlived by the table, which holds it.
class ApiVersionsHandler {
 public:
  explicit ApiVersionsHandler(const ApiTable& table) : table_(table) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const ApiTable& table_;
};

}  // namespace broker
