// A producer as its transactions name it.
#pragma once

#include "base/ids.h"

namespace broker {

struct Producer {
  base::ProducerId id = base::kNoProducerId;
  base::ProducerEpoch epoch = base::kNoProducerEpoch;

  bool operator==(const Producer&) const = default;
};

}  // namespace broker
