/* Decides that a chain of aliases which comes back to where it was goes on. */
#include "dns/message.h"

bool __wrap_answer_has_owner(const struct answer *answer, const uint8_t *name);

bool __wrap_answer_has_owner(const struct answer *answer, const uint8_t *name)
{
	(void)answer;
	(void)name;
	return false;
}
