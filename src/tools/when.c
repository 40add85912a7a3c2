/* Decides which moment is meant. */
#include "tools/when.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

enum { SECOND_US = 1000000, MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

/* --- so long ago --- */

static bool parse_span(const char *text, uint64_t now_us, struct when *out)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', MINUTE_S}, {'h', HOUR_S}, {'d', DAY_S}};
	size_t len = strspn(text, "0123456789");
	if (len == 0 || len > 9 || text[len] == '\0' || text[len + 1] != '\0')
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].unit != text[len])
			continue;
		uint64_t ago_us = strtoull(text, NULL, 10) * units[i].seconds * SECOND_US;
		out->from_us = out->until_us = ago_us < now_us ? now_us - ago_us : 0;
		return true;
	}
	return false;
}

/* --- dates and times --- */

/* As mktime would take the 31st of February for a day in March, what it made of the fields is compared with them. */
static bool to_seconds(const struct tm *fields, uint64_t *out)
{
	struct tm made = *fields;
	made.tm_isdst = -1;
	time_t seconds = mktime(&made);
	*out = (uint64_t)seconds;
	return seconds > 0 && made.tm_mday == fields->tm_mday && made.tm_mon == fields->tm_mon &&
	       made.tm_year == fields->tm_year;
}

/* "14:02" or "14:02:30"; the length of the moment, 0 when it is none. strptime would take 7 for 07. */
static unsigned parse_clock(const char *text, struct tm *fields)
{
	size_t len = strlen(text);
	const char *end = NULL;
	if (len == 5)
		end = strptime(text, "%H:%M", fields);
	else if (len == 8)
		end = strptime(text, "%H:%M:%S", fields);
	if (end == NULL || *end != '\0' || fields->tm_sec > 59)
		return 0;
	return len == 5 ? MINUTE_S : 1;
}

static unsigned parse_date(const char *text, struct tm *fields)
{
	const char *end = strptime(text, "%Y-%m-%d", fields);
	if (end == NULL || end - text != 10)
		return 0;
	if (*end == '\0')
		return DAY_S;
	return *end == 'T' || *end == ' ' ? parse_clock(end + 1, fields) : 0;
}

int when_parse(struct when *out, const char *text, uint64_t now_us)
{
	if (parse_span(text, now_us, out))
		return 0;
	time_t now = (time_t)(now_us / SECOND_US);
	struct tm today, fields = {0};
	if (localtime_r(&now, &today) == NULL)
		return E_INVAL;
	uint64_t at_s;
	unsigned length_s = parse_date(text, &fields);
	if (length_s == 0) {
		fields = today;
		fields.tm_sec = 0;
		length_s = parse_clock(text, &fields);
		if (length_s != 0 && to_seconds(&fields, &at_s) && at_s * SECOND_US > now_us) {
			fields.tm_mday--; /* yesterday's */
			fields.tm_isdst = -1;
			(void)mktime(&fields);
		}
	}
	if (length_s == 0 || !to_seconds(&fields, &at_s) || at_s * SECOND_US > now_us)
		return E_INVAL;
	out->from_us = at_s * SECOND_US;
	out->until_us = (at_s + length_s) * SECOND_US - 1;
	return 0;
}
