#include "protocol/codec_impl.h"
#include "protocol/messages/add_offsets_to_txn.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/allocate_producer_ids.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/describe_transactions.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/list_transactions.h"
#include "protocol/messages/txn_offset_commit.h"
#include "protocol/messages/write_txn_markers.h"

namespace protocol {

WEIR_COMPILE_API(InitProducerId)
WEIR_COMPILE_API(AddPartitionsToTxn)
WEIR_COMPILE_API(AddOffsetsToTxn)
WEIR_COMPILE_API(EndTxn)
WEIR_COMPILE_API(WriteTxnMarkers)
WEIR_COMPILE_API(TxnOffsetCommit)
WEIR_COMPILE_API(DescribeProducers)
WEIR_COMPILE_API(DescribeTransactions)
WEIR_COMPILE_API(ListTransactions)
WEIR_COMPILE_API(AllocateProducerIds)

}  // namespace protocol
