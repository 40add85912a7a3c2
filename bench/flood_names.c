/* The questions of a load: how a list of names becomes packets. */
#include "flood.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 200000 };

static struct query *queries;
static size_t query_count;

static bool write_query(struct query *q, const char *name, unsigned type)
{
	uint8_t *at = q->wire;
	memcpy(at, "\0\0\1\0\0\1\0\0\0\0\0\1", 12);
	at += 12;
	while (*name != '\0') {
		size_t label = strcspn(name, ".");
		if (label == 0 || label > 63 || (size_t)(at - q->wire) + label + 20 > QUERY_MAX)
			return false;
		*at++ = (uint8_t)label;
		memcpy(at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	*at++ = 0;
	memcpy(at, (uint8_t[]){(uint8_t)(type >> 8), (uint8_t)type, 0, 1}, 4);
	memcpy(at + 4, (uint8_t[]){0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0}, 11); /* OPT, 1232 */
	q->len = (uint16_t)(at + 15 - q->wire);
	return true;
}

void questions_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char name[256];
	unsigned type;
	if (file == NULL)
		die(path);
	queries = calloc(NAMES_MAX, sizeof(*queries));
	if (queries == NULL)
		die("no memory for the names");
	while (query_count < NAMES_MAX && fscanf(file, "%255s %u", name, &type) == 2)
		query_count += write_query(&queries[query_count], name, type);
	fclose(file);
	if (query_count == 0) {
		fprintf(stderr, "flood: no names in %s\n", path);
		exit(1);
	}
}

const struct query *question(unsigned long n)
{
	return &queries[n % query_count];
}
