#include "protocol/internal/assignment.h"

#include "protocol/internal/versioned_impl.h"

namespace protocol {

WEIR_COMPILE_VERSIONED(ConsumerSubscription)
WEIR_COMPILE_VERSIONED(ConsumerAssignment)

}  // namespace protocol
