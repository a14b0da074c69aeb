#include "protocol/codec_impl.h"
#include "protocol/messages/alter_user_scram_credentials.h"
#include "protocol/messages/create_acls.h"
#include "protocol/messages/create_delegation_token.h"
#include "protocol/messages/delete_acls.h"
#include "protocol/messages/describe_acls.h"
#include "protocol/messages/describe_delegation_token.h"
#include "protocol/messages/describe_user_scram_credentials.h"
#include "protocol/messages/expire_delegation_token.h"
#include "protocol/messages/renew_delegation_token.h"
#include "protocol/messages/sasl_authenticate.h"
#include "protocol/messages/sasl_handshake.h"

namespace protocol {

WEIR_COMPILE_API(SaslHandshake)
WEIR_COMPILE_API(DescribeAcls)
WEIR_COMPILE_API(CreateAcls)
WEIR_COMPILE_API(DeleteAcls)
WEIR_COMPILE_API(SaslAuthenticate)
WEIR_COMPILE_API(CreateDelegationToken)
WEIR_COMPILE_API(RenewDelegationToken)
WEIR_COMPILE_API(ExpireDelegationToken)
WEIR_COMPILE_API(DescribeDelegationToken)
WEIR_COMPILE_API(DescribeUserScramCredentials)
WEIR_COMPILE_API(AlterUserScramCredentials)

}  // namespace protocol
