/* Decides where the root is: the thirteen servers of root-servers.net (IANA, named.root of 2026), or a file. */
#include "resolve/hints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libzscanner/scanner.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/error.h"
#include "dns/knot.h"

static const struct {
	char letter;
	const char *v4, *v6;
} roots[] = {
	{'a', "198.41.0.4", "2001:503:ba3e::2:30"},
	{'b', "170.247.170.2", "2801:1b8:10::b"},
	{'c', "192.33.4.12", "2001:500:2::c"},
	{'d', "199.7.91.13", "2001:500:2d::d"},
	{'e', "192.203.230.10", "2001:500:a8::e"},
	{'f', "192.5.5.241", "2001:500:2f::f"},
	{'g', "192.112.36.4", "2001:500:12::d0d"},
	{'h', "198.97.190.53", "2001:500:1::53"},
	{'i', "192.36.148.17", "2001:7fe::53"},
	{'j', "192.58.128.30", "2001:503:c27::2:30"},
	{'k', "193.0.14.129", "2001:7fd::1"},
	{'l', "199.7.83.42", "2001:500:9f::42"},
	{'m', "202.12.27.33", "2001:dc3::35"},
};

static void add(struct hints *hints, const char *name, const char *addr)
{
	struct hint *hint = &hints->hint[hints->count++];
	require(name_from_text(hint->name, name) == 0 && addr_parse(&hint->addr, addr, 53) == 0);
}

void hints_builtin(struct hints *hints)
{
	memset(hints, 0, sizeof(*hints));
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		char name[] = "?.root-servers.net.";
		name[0] = roots[i].letter;
		add(hints, name, roots[i].v4);
		add(hints, name, roots[i].v6);
	}
}

/* What a file is read into; the first error is the one that is told, the scanner goes on behind it. */
struct reading {
	struct hints hints;
	unsigned long long bad_line;
	int bad_code;
};

static void on_error(zs_scanner_t *scanner)
{
	struct reading *reading = scanner->process.data;
	if (reading->bad_line != 0)
		return;
	reading->bad_line = scanner->line_counter;
	reading->bad_code = scanner->error.code;
}

static void on_record(zs_scanner_t *scanner)
{
	struct hints *hints = &((struct reading *)scanner->process.data)->hints;
	size_t len = scanner->r_data_length;
	bool is_address =
		(scanner->r_type == KNOT_RRTYPE_A && len == 4) || (scanner->r_type == KNOT_RRTYPE_AAAA && len == 16);
	if (!is_address || hints->count >= HINTS_MAX)
		return;
	struct hint *hint = &hints->hint[hints->count++];
	memcpy(hint->name, scanner->r_owner, scanner->r_owner_length);
	name_lower(hint->name);
	hint->addr = addr_of_bytes(scanner->r_data, len, 53);
}

int hints_read(struct hints *hints, const char *path, char *why, size_t size)
{
	struct reading *reading = xzalloc(1, sizeof(*reading));
	zs_scanner_t *scanner = xalloc(sizeof(*scanner));
	int ret = E_MALFORMED;
	if (zs_init(scanner, ".", KNOT_CLASS_IN, 3600) != 0 ||
		zs_set_processing(scanner, on_record, on_error, reading) != 0) {
		snprintf(why, size, "%s: cannot be scanned", path);
	} else if (zs_set_input_file(scanner, path) != 0) {
		snprintf(why, size, "%s: cannot be read; give a file with the root's NS, A and AAAA records", path);
		ret = E_NOENT;
	} else if (zs_parse_all(scanner) != 0) {
		snprintf(why, size, "%s:%llu: %s", path, reading->bad_line, zs_strerror(reading->bad_code));
	} else if (reading->hints.count == 0) {
		snprintf(why, size, "%s: holds no address of a root server; A or AAAA records are needed", path);
	} else {
		*hints = reading->hints;
		ret = 0;
	}
	zs_deinit(scanner);
	free(scanner);
	free(reading);
	return ret;
}
