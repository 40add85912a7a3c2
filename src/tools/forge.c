/* Decides how chance, time and packets hang together for who guesses at replies, and how such numbers are written. */
#include "tools/forge.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* P_s of the RFC; more tries than there are replies do no better than all of them. */
static double chance_in_window(const struct forge *forge)
{
	return forge->tries < forge->space ? forge->tries / forge->space : 1;
}

/* P_cs = 1 - (1 - P_s)^A; log1p and expm1 because P_s may be 1e-20, which 1 - P_s would lose. */
double forge_chance(const struct forge *forge, double time_s)
{
	double once = chance_in_window(forge);
	return once >= 1 ? 1 : -expm1(time_s / forge->every_s * log1p(-once));
}

static double windows_until(const struct forge *forge, double chance)
{
	double once = chance_in_window(forge);
	if (once <= 0)
		return INFINITY;
	return once >= 1 ? chance : log1p(-chance) / log1p(-once);
}

double forge_time_s(const struct forge *forge, double chance)
{
	return windows_until(forge, chance) * forge->every_s;
}

double forge_packets(const struct forge *forge, double chance)
{
	double in_window = forge->tries < forge->space ? forge->tries : forge->space;
	return in_window > 0 ? windows_until(forge, chance) * in_window : INFINITY;
}

/* Two digits below ten, else as many as there are: "7.4", "12", "930". */
static void write_short(double value, const char *unit, char out[static FORGE_WORDS])
{
	snprintf(out, FORGE_WORDS, "%.*f%s%s", value < 9.95 ? 1 : 0, value, *unit != '\0' ? " " : "", unit);
}

/* "3.1e12": no plus, no leading zero. */
static void write_power(double value, const char *unit, char out[static FORGE_WORDS])
{
	int power = (int)floor(log10(value));
	double head = value / pow(10, power);
	if (head >= 9.95) {
		head /= 10;
		power++;
	}
	snprintf(out, FORGE_WORDS, "%.1fe%d%s%s", head, power, *unit != '\0' ? " " : "", unit);
}

const char *forge_time_words(double time_s, char out[static FORGE_WORDS])
{
	static const struct {
		double below, unit_s; /* below so many seconds, in this unit */
		const char *unit;
	} steps[] = {{99.5, 1, "s"}, {99.5 * 60, 60, "min"}, {72 * 3600, 3600, "h"}, {730 * 86400.0, 86400, "days"},
		{99999.5 * 31557600, 31557600, "years"}};
	if (!isfinite(time_s))
		return strcpy(out, "never");
	if (time_s < 0.05)
		return strcpy(out, "at once");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (time_s < steps[i].below) {
			write_short(time_s / steps[i].unit_s, steps[i].unit, out);
			return out;
		}
	write_power(time_s / 31557600, "years", out);
	return out;
}

const char *forge_count_words(double count, char out[static FORGE_WORDS])
{
	if (!isfinite(count))
		return strcpy(out, "any number");
	if (count < 999.5)
		snprintf(out, FORGE_WORDS, "%.0f", count);
	else if (count < 999500)
		snprintf(out, FORGE_WORDS, "%.0f,%03.0f", floor(count / 1000), floor(fmod(count, 1000)));
	else if (count < 999.5e6)
		write_short(count / 1e6, "million", out);
	else if (count < 999.5e9)
		write_short(count / 1e9, "billion", out);
	else
		write_power(count, "", out);
	return out;
}
