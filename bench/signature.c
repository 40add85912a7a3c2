/* What a signature check costs through signature_verify, with the key in the keyring and without, for each algorithm;
 * and, given a signed zone's file, whether all its signatures that its keys made are good. One thread; CPU time; medians
 * of five rounds. Prints a table.
 *
 *	signature [ZONEFILE]
 */
#include <libzscanner/scanner.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/hash.h"
#include "dns/canonical.h"
#include "dns/signature.h"

enum { ROUNDS = 5, CHECKS = 2000, SIGNATURE_MAX = 1024, KEY_MAX = 1024, SIG_HEAD = 18 + 9 };

static double cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_THREAD, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "signature: %s\n", what);
	exit(1);
}

/* --- one check --- */

struct kind {
	const char *text;
	uint8_t algorithm;
	const char *type, *group, *hash;
	size_t bits;
};

static const struct kind kinds[] = {
	{"RSA-1024 SHA-256", 8, "RSA", NULL, "SHA256", 1024},
	{"RSA-2048 SHA-256", 8, "RSA", NULL, "SHA256", 2048},
	{"RSA-2048 SHA-1", 7, "RSA", NULL, "SHA1", 2048},
	{"RSA-4096 SHA-512", 10, "RSA", NULL, "SHA512", 4096},
	{"ECDSA P-256", 13, "EC", "P-256", "SHA256", 256},
	{"ECDSA P-384", 14, "EC", "P-384", "SHA384", 384},
	{"Ed25519", 15, "ED25519", NULL, NULL, 256},
	{"Ed448", 16, "ED448", NULL, NULL, 448},
};

static EVP_PKEY *make_pkey(const struct kind *kind)
{
	if (strcmp(kind->type, "RSA") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", kind->bits);
	if (kind->group != NULL)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind->group);
	return EVP_PKEY_Q_keygen(NULL, NULL, kind->type);
}

static size_t write_number(uint8_t *out, const EVP_PKEY *pkey, const char *name)
{
	BIGNUM *number = NULL;
	must(EVP_PKEY_get_bn_param(pkey, name, &number) == 1, "a number of a key");
	size_t len = (size_t)BN_bn2bin(number, out);
	BN_free(number);
	return len;
}

static size_t write_key(uint8_t *out, const struct kind *kind, const EVP_PKEY *pkey)
{
	size_t len = KEY_MAX;
	if (strcmp(kind->type, "RSA") == 0) {
		out[0] = (uint8_t)write_number(out + 1, pkey, "e");
		return 1u + out[0] + write_number(out + 1 + out[0], pkey, "n");
	}
	if (kind->group == NULL) {
		must(EVP_PKEY_get_raw_public_key(pkey, out, &len) == 1, "a key's bytes");
		return len;
	}
	uint8_t point[200];
	must(EVP_PKEY_get_octet_string_param(pkey, "encoded-pub-key", point, sizeof(point), &len) == 1, "a point");
	memcpy(out, point + 1, len - 1);
	return len - 1;
}

/* DER's two integers as r and s of fixed length. */
static size_t flatten(uint8_t *out, const uint8_t *der, size_t len, size_t half)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	must(sig != NULL, "a signature in DER");
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)half);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, (int)half);
	ECDSA_SIG_free(sig);
	return 2 * half;
}

static size_t make_signature(uint8_t *out, const struct kind *kind, EVP_PKEY *pkey, const struct signed_data *data)
{
	uint8_t made[SIGNATURE_MAX];
	size_t len = sizeof(made);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	must(EVP_DigestSignInit_ex(ctx, NULL, kind->hash, NULL, NULL, pkey, NULL) == 1 &&
			EVP_DigestSign(ctx, made, &len, data->wire, data->len) == 1,
		"signing");
	EVP_MD_CTX_free(ctx);
	if (kind->group != NULL)
		return flatten(out, made, len, kind->bits / 8);
	memcpy(out, made, len);
	return len;
}

struct subject {
	struct rrset set;
	struct rrsig sig;
	struct dnskey key;
};

static knot_rdata_t *rdata_of(struct arena *arena, const uint8_t *data, size_t len)
{
	knot_rdata_t *rdata = arena_alloc(arena, knot_rdata_size((uint16_t)len));
	knot_rdata_init(rdata, (uint16_t)len, data);
	return rdata;
}

/* An A record at www.example.com, signed with a new key. */
static void make_subject(struct subject *out, struct arena *arena, const struct kind *kind)
{
	uint8_t key[4 + KEY_MAX] = {1, 0, 3, kind->algorithm},
			sig[SIG_HEAD + SIGNATURE_MAX] = {0, 1, kind->algorithm, 2};
	struct signed_data data;
	EVP_PKEY *pkey = make_pkey(kind);
	must(pkey != NULL, kind->text);
	size_t len = 4 + write_key(key + 4, kind, pkey);
	must(dnskey_read(&out->key, rdata_of(arena, key, len)) == 0, "DNSKEY");
	knot_wire_write_u16(sig + 16, out->key.tag);
	memcpy(sig + 18, "\7example", 9);
	out->set = (struct rrset){.owner = (const uint8_t *)"\3www\7example", .type = 1, .rclass = 1, .ttl_s = 300};
	out->set.data =
		(knot_rdataset_t){.count = 1, .size = 6, .rdata = rdata_of(arena, (const uint8_t *)"\300\0\2\1", 4)};
	must(rrsig_read(&out->sig, arena, rdata_of(arena, sig, SIG_HEAD + 1)) == 0, "RRSIG");
	must(canonical_sign_data(&data, arena, &out->set, &out->sig) == 0, "signed data");
	len = make_signature(sig + SIG_HEAD, kind, pkey, &data);
	must(rrsig_read(&out->sig, arena, rdata_of(arena, sig, SIG_HEAD + len)) == 0, "RRSIG");
	EVP_PKEY_free(pkey);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double measure(struct arena *arena, const struct subject *subject, bool fresh)
{
	double took[ROUNDS];
	for (int round = 0; round < ROUNDS; round++) {
		struct keyring *keyring = keyring_new();
		double begin = cpu_us();
		for (int i = 0; i < CHECKS; i++) {
			must(signature_verify(keyring, arena, &subject->set, &subject->sig, &subject->key) == 0,
				"a good signature");
			if (!fresh)
				continue;
			keyring_free(keyring);
			keyring = keyring_new();
		}
		took[round] = (cpu_us() - begin) / CHECKS;
		keyring_free(keyring);
	}
	qsort(took, ROUNDS, sizeof(*took), compare);
	return took[ROUNDS / 2];
}

static double measure_data(struct arena *arena, const struct subject *subject)
{
	struct signed_data data;
	double begin = cpu_us();
	for (int i = 0; i < CHECKS * 100; i++) {
		struct arena_mark mark = arena_mark(arena);
		must(canonical_sign_data(&data, arena, &subject->set, &subject->sig) == 0, "signed data");
		arena_release(arena, &mark);
	}
	return (cpu_us() - begin) / (CHECKS * 100);
}

static void show_costs(struct arena *arena)
{
	struct subject subject;
	double begin = cpu_us();
	algorithm_is_supported(13, false);
	printf("finding out what the library does  %8.0f us, once\n\n%-20s %10s %12s\n", cpu_us() - begin,
		"one check, us", "known key", "new key");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		make_subject(&subject, arena, &kinds[i]);
		printf("%-20s %10.1f %12.1f\n", kinds[i].text, measure(arena, &subject, false),
			measure(arena, &subject, true));
	}
	printf("%-20s %10.2f\n", "the signed data", measure_data(arena, &subject));
}

/* --- a zone --- */

enum { BUCKETS = 1 << 16 };

struct entry {
	struct entry *next;
	struct rrset set;
};

static struct entry *bucket[BUCKETS];

static struct rrset *find_set(struct arena *arena, const uint8_t *owner, uint16_t type)
{
	struct entry **at = &bucket[hash_bytes(type, owner, name_len(owner)) % BUCKETS];
	for (; *at != NULL; at = &(*at)->next)
		if ((*at)->set.type == type && name_is_equal((*at)->set.owner, owner))
			return &(*at)->set;
	*at = arena_zalloc(arena, sizeof(**at));
	(*at)->set = (struct rrset){.owner = name_copy(arena, owner), .type = type, .rclass = KNOT_CLASS_IN};
	return &(*at)->set;
}

static void read_zone(struct arena *arena, const char *path)
{
	static zs_scanner_t scanner;
	knot_mm_t mm = knot_mm_of(arena);
	must(zs_init(&scanner, ".", KNOT_CLASS_IN, 3600) == 0 && zs_set_input_file(&scanner, path) == 0, path);
	while (zs_parse_record(&scanner) == 0 && scanner.state == ZS_STATE_DATA) {
		const knot_rdata_t *rdata = rdata_of(arena, scanner.r_data, scanner.r_data_length);
		bool is_sig = scanner.r_type == KNOT_RRTYPE_RRSIG;
		name_lower(scanner.r_owner);
		struct rrset *set =
			find_set(arena, scanner.r_owner, is_sig ? knot_wire_read_u16(rdata->data) : scanner.r_type);
		set->ttl_s = scanner.r_ttl;
		must(knot_rdataset_add(is_sig ? &set->sigs : &set->data, rdata, &mm) == 0, "a record");
	}
	zs_deinit(&scanner);
}

struct tally {
	unsigned good, bad, strange;
};

static void check_set(struct keyring *keyring, struct arena *arena, const struct rrset *set, struct tally *tally)
{
	struct rrsig sig;
	struct dnskey key;
	for (uint16_t i = 0; i < set->sigs.count; i++) {
		must(rrsig_read(&sig, arena, knot_rdataset_at(&set->sigs, i)) == 0, "RRSIG");
		const struct rrset *keys = find_set(arena, sig.signer, KNOT_RRTYPE_DNSKEY);
		bool tried = false, good = false;
		for (uint16_t j = 0; j < keys->data.count && !good; j++) {
			must(dnskey_read(&key, rrset_rdata(keys, j)) == 0, "DNSKEY");
			tried |= key.tag == sig.tag;
			good = signature_look(&sig, set, sig.begins_s) == SIGNATURE_WORTH &&
			       signature_verify(keyring, arena, set, &sig, &key) == 0;
		}
		tally->good += good;
		tally->bad += tried && !good;
		tally->strange += !tried;
	}
}

static bool check_zone(struct arena *arena, const char *path)
{
	struct tally tally = {0};
	struct keyring *keyring = keyring_new();
	read_zone(arena, path);
	double begin = cpu_us();
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct entry *entry = bucket[i]; entry != NULL; entry = entry->next)
			check_set(keyring, arena, &entry->set, &tally);
	printf("\n%s: %u signatures are good, %u bad, %u of unknown keys; %.0f us\n", path, tally.good, tally.bad,
		tally.strange, cpu_us() - begin);
	keyring_free(keyring);
	return tally.bad == 0;
}

int main(int argc, char **argv)
{
	struct arena arena;
	hash_init();
	arena_init(&arena);
	show_costs(&arena);
	bool good = argc < 2 || check_zone(&arena, argv[1]);
	arena_deinit(&arena);
	return good ? 0 : 1;
}
