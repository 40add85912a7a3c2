/* What denial.c, nsec.c and nsec3.c share, and nobody else needs. Names given here are within the zone, unless said
 * otherwise. Thread: any. Never suspends. */
#pragma once

#include "dns/denial.h"

struct bitmap {
	const uint8_t *bytes;
	uint16_t len;
};

/* One record, and not what a wildcard was expanded to. */
bool denial_can_use(const struct rrset *set);
/* That the bitmap is at the name's own node, or at the wildcard's that stands for it, proves that the type is not
 * there. */
bool bitmap_denies(const struct bitmap *types, const uint8_t *owner, uint16_t type);
/* The owner of the bitmap is where the zone ends or goes elsewhere: nothing is said of names below. */
bool bitmap_ends_zone(const struct bitmap *types);
/* What the bitmap at the very name says of a cut. */
enum no_ds bitmap_no_ds(const struct bitmap *types);
/* A wildcard with these types would itself stand for a cut. */
bool bitmap_has_cut(const struct bitmap *types);
/* `encloser` has at least a label less than some name. */
void wildcard_of(uint8_t out[static NAME_MAX_LEN], const uint8_t *encloser);

bool nsec_is_usable(const struct denial *denial, const struct rrset *set);
bool nsec_denies_name(const struct denial *denial, const uint8_t *name);
bool nsec_denies_type(const struct denial *denial, const uint8_t *name, uint16_t type);
bool nsec_denies_closer(const struct denial *denial, const uint8_t *closer);
enum no_ds nsec_no_ds(const struct denial *denial, const uint8_t *name);

/* Takes the parameters of the first usable NSEC3 and forgets earlier hashes. */
void nsec3_begin(struct denial *denial);
enum denied nsec3_denies_name(struct denial *denial, const uint8_t *name);
enum denied nsec3_denies_type(struct denial *denial, const uint8_t *name, uint16_t type);
enum denied nsec3_denies_closer(struct denial *denial, const uint8_t *closer);
enum no_ds nsec3_no_ds(struct denial *denial, const uint8_t *name);
