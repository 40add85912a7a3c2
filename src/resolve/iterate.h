/* From the closest known zone cut downwards (RFC 1034 5.3.3), with minimised names (RFC 9156). For resolve/ only. */
#pragma once

#include "resolve/lookup.h"

/* Asks servers until one of them says what q is; stores it in the cache. Errors as lookup_await. */
int iterate_await(struct request *rq, const struct frame *frame, struct found *out) __attribute__((warn_unused_result));
