/* Decides that a name of too many labels to be hashed is below a zone that is not signed, as if the zone had chosen that. */
#include "dns/denial.h"

enum no_ds __real_denial_of_ds(struct denial *denial, const uint8_t *name);
enum no_ds __wrap_denial_of_ds(struct denial *denial, const uint8_t *name);

enum no_ds __wrap_denial_of_ds(struct denial *denial, const uint8_t *name)
{
	enum no_ds said = __real_denial_of_ds(denial, name);
	denial->too_many_iterations |= said == NO_DS_TOO_DEAR;
	return said;
}
