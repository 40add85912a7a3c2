/* Whether an rrset is signed by a zone whose keys are known to be good, within the request's budget. For resolve/ only.
 *
 *	struct rrsig sig;
 *	int ret = verify_set_await(rq, set, &trust, &sig);
 *	if (ret == E_MISMATCH) ...                            bogus, and rq->verdict says why
 *
 * Standards: RFC 4035 5.3, RFC 6840 5. KeyTrap (CVE-2023-50387): each check is paid from the budget, and after a few of
 * them others get their turn. Ownership: the request's arena. Thread: the request's. */
#pragma once

#include "dns/denial.h"
#include "resolve/request.h"

/* How a zone stands, and when it is secure its keys. */
struct trust {
	enum security security;
	const uint8_t *zone;
	bool is_no_zone; /* bogus, because its parent proves that there is no such zone: somebody has added a signature */
	struct dnskey *key;
	unsigned keys;
};

/* The zone that has signed the rrset, as its signatures say: the closest to the owner, at or above it and at or below
 * `top`; for DS truly above it (RFC 4035 2.4). NULL: none has. */
const uint8_t *verify_signer(struct request *rq, const struct rrset *set, const uint8_t *top);
/* Reads keys into `trust`: those of the rrset that may sign, at most LIMIT_ZONE_KEYS. */
void verify_take_keys(struct request *rq, const struct rrset *set, struct trust *trust);
/* 0: *sig is a good signature by one of the keys. E_MISMATCH: there is none, and rq->verdict says why. E_BUDGET, E_TIMEOUT,
 * E_CANCELED. */
int verify_set_await(struct request *rq, const struct rrset *set, const struct trust *trust, struct rrsig *sig)
	__attribute__((warn_unused_result));
/* What a denial has hashed is paid for when it is done: it hashes no more than DENIAL_HASHES_MOST names (CVE-2023-50868).
 * 0, E_BUDGET, E_TIMEOUT. */
int verify_pay_hashes(struct request *rq, unsigned hashes) __attribute__((warn_unused_result));
/* A copy whose TTL is no longer than the signature allows. */
const struct rrset *verify_bound(struct request *rq, const struct rrset *set, const struct rrsig *sig);

/* A name for verify_blame, in the arena: functions that wait have no room for one on the stack. */
const char *verify_name(struct request *rq, const uint8_t *name);
/* Says why something is bogus or insecure: in rq->verdict and in the story. The last one counts. */
void verify_blame(struct request *rq, int ede, const char *format, ...) __attribute__((format(printf, 3, 4)));
