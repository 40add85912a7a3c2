/* Decides how much of everything one client request may use. */
#include "resolve/budget.h"

#include "base/error.h"
#include "base/limits.h"

void budget_init(struct budget *budget, uint64_t now_us)
{
	*budget = (struct budget){
		.deadline_us = now_us + LIMIT_DEADLINE_MS * 1000ull,
		.left = {[BUDGET_QUESTION] = LIMIT_QUESTIONS,
			[BUDGET_SERVER_QUESTION] = LIMIT_SERVER_QUESTIONS,
			[BUDGET_REFERRAL] = LIMIT_REFERRALS,
			[BUDGET_ALIAS] = LIMIT_ALIASES,
			[BUDGET_SERVER_LOOKUP] = LIMIT_SERVER_LOOKUPS,
			[BUDGET_SIGNATURE] = LIMIT_SIGNATURES,
			[BUDGET_SIGNATURE_BAD] = LIMIT_SIGNATURES_BAD,
			[BUDGET_HASH] = LIMIT_HASHES},
		.spent = BUDGET_LINES,
	};
}

bool budget_has_all_questions(const struct budget *budget)
{
	return budget->left[BUDGET_QUESTION] == LIMIT_QUESTIONS;
}

int budget_take(struct budget *budget, enum budget_line line, uint64_t now_us)
{
	if (now_us >= budget->deadline_us)
		return E_TIMEOUT;
	if (budget->left[line] == 0) {
		budget->spent = line;
		return E_BUDGET;
	}
	budget->left[line]--;
	return 0;
}

const char *budget_line_text(enum budget_line line)
{
	switch (line) {
	case BUDGET_QUESTION: return "questions to servers";
	case BUDGET_SERVER_QUESTION: return "questions for addresses of servers";
	case BUDGET_REFERRAL: return "referrals";
	case BUDGET_ALIAS: return "aliases";
	case BUDGET_SERVER_LOOKUP: return "look-ups of server addresses";
	case BUDGET_SIGNATURE: return "signatures checked";
	case BUDGET_SIGNATURE_BAD: return "signatures checked in vain";
	case BUDGET_HASH: return "names hashed for NSEC3";
	default: return "nothing";
	}
}
