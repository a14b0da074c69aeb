// WriteTxnMarkers: how coordinators, and operators who abort what hangs, end transactions in partitions led here.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "broker/transaction/marker_writer.h"
#include "config/dynamic.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class WriteTxnMarkersHandler {
 public:
  WriteTxnMarkersHandler(MarkerWriter& writer, const config::DynamicSettings& settings)
      : writer_(writer), settings_(settings) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  MarkerWriter& writer_;
  const config::DynamicSettings& settings_;
};

}  // namespace broker
