// From a frame to its handler: header, version check, call.
#pragma once

#include <memory>

#include "base/clock.h"
#include "broker/dispatch/api_table.h"
#include "broker/dispatch/session.h"
#include "broker/network/answers.h"
#include "broker/network/diagnosis_log.h"
#include "broker/network/frame.h"

namespace broker {

enum class ReadAhead { allowed, after_answer };

// Any loop may call; holds no state of its own. Outlived by: ApiTable, DiagnosisLog.
class Router {
 public:
  Router(const ApiTable& table, DiagnosisLog& diagnosis, std::shared_ptr<MemoryBudget> budget)
      : table_(table), diagnosis_(diagnosis), budget_(std::move(budget)) {}

  // On the connection's loop. Calls the handler, or closes the connection with a diagnosis.
  ReadAhead handle(Session& session, Frame& frame, base::Instant arrived, AnswerSlot answer) const;

 private:
  const ApiTable& table_;
  DiagnosisLog& diagnosis_;
  std::shared_ptr<MemoryBudget> budget_;
};

}  // namespace broker
