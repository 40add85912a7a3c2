/* What one client request may cost, shared by all its sub-lookups: the one place where amplification is stopped.
 *
 *	budget_init(&budget, loop->now_us);
 *	if ((ret = budget_take(&budget, BUDGET_QUESTION)) != 0) return ret;
 *
 * Every loop of resolution spends from it. Thread: the request's. Never suspends. */
#pragma once

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

enum budget_line {
	BUDGET_QUESTION,        /* upstream questions: NXNSAttack CVE-2020-8616 */
	BUDGET_REFERRAL,        /* referrals followed: CVE-2014-8500 */
	BUDGET_ALIAS,           /* aliases followed */
	BUDGET_SERVER_QUESTION, /* those of them that are asked for addresses of servers: NXNSAttack */
	BUDGET_SERVER_LOOKUP,   /* lookups of server addresses: NRDelegation CVE-2022-3204 */
	BUDGET_SIGNATURE,       /* signatures checked */
	BUDGET_SIGNATURE_BAD,   /* of them in vain: KeyTrap CVE-2023-50387 */
	BUDGET_HASH,            /* names hashed for NSEC3: CVE-2023-50868 */
	BUDGET_LINES,
};

struct budget {
	uint64_t deadline_us; /* monotonic */
	unsigned left[BUDGET_LINES];
	enum budget_line spent; /* the line that ran out; BUDGET_LINES: none */
};

void budget_init(struct budget *budget, uint64_t now_us);
/* No question to a server was taken from it. */
bool budget_has_all_questions(const struct budget *budget);
/* 0, E_BUDGET when the line is spent, E_TIMEOUT when the deadline has passed. */
int budget_take(struct budget *budget, enum budget_line line, uint64_t now_us) __attribute__((warn_unused_result));
const char *budget_line_text(enum budget_line line);
