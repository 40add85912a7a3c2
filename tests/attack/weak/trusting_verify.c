/* Decides that each signature is tried with every key of its tag, and that nobody else has his turn meanwhile: the
 * product's verify.c with other limits, its functions under names for the linker's --wrap. */
#include "trusting.h"

#define verify_blame      __wrap_verify_blame
#define verify_bound      __wrap_verify_bound
#define verify_name       __wrap_verify_name
#define verify_pay_hashes __wrap_verify_pay_hashes
#define verify_set_await  __wrap_verify_set_await
#define verify_signer     __wrap_verify_signer
#define verify_take_keys  __wrap_verify_take_keys

#include "../../../src/resolve/verify.c"
