// ApiVersions: the first question of every client since 0.10, answered from the table of what is served.
#pragma once

#include "broker/dispatch/api_table.h"
#include "replication/coordination/finalized_features.h"

namespace broker {

// Any loop may call. Outlived by the table, which holds it, and by the features.
class ApiVersionsHandler {
 public:
  ApiVersionsHandler(const ApiTable& table, const replication::FinalizedFeatures& features)
      : table_(table), features_(features) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const ApiTable& table_;
  const replication::FinalizedFeatures& features_;
};

}  // namespace broker
