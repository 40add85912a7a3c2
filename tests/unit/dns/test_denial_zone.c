/* Small random zones with their whole chains, against a truth found by looking at all names: all records together prove
 * what is true, and without any one of them, or with a part, nothing false is proved. test_dns_denial_zone ZONES SEED. */
#include "unit/dns/denials.h"

enum { A = 1, MX = 2, NS = 4, DS = 8, SOA = 16, CNAME = 32, DNAME = 64, NODES_MOST = 48, ASKED = 40, ZONES = 60 };

static const struct {
	unsigned bit;
	uint16_t type;
	const char *word;
} kinds[] = {{A, KNOT_RRTYPE_A, "A "}, {MX, KNOT_RRTYPE_MX, "MX "}, {NS, KNOT_RRTYPE_NS, "NS "},
	{DS, KNOT_RRTYPE_DS, "DS "}, {SOA, KNOT_RRTYPE_SOA, "SOA "}, {CNAME, KNOT_RRTYPE_CNAME, "CNAME "},
	{DNAME, KNOT_RRTYPE_DNAME, "DNAME "}};

struct node {
	const uint8_t *name;
	unsigned types; /* 0: an empty non-terminal */
};

/* The zone as it is, or as far as it is signed. */
struct view {
	struct node node[NODES_MOST];
	unsigned count;
};

static struct arena arena;
static const uint8_t *const apex = (const uint8_t *)"\1z";
static uint64_t chance_state = 1;
static unsigned zones = ZONES;

/* The same in every run. */
static unsigned chance(unsigned bound)
{
	chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(chance_state >> 33) % bound;
}

static const uint8_t *random_name(unsigned depth)
{
	char text[32], *at = text;
	while (depth-- > 0)
		at += sprintf(at, "%c.", "abcd*"[chance(5)]);
	strcpy(at, "z");
	return name_of(&arena, text);
}

static const struct node *node_at(const struct view *v, const uint8_t *name)
{
	for (unsigned i = 0; i < v->count; i++)
		if (name_is_equal(v->node[i].name, name))
			return &v->node[i];
	return NULL;
}

static bool is_there(const struct view *v, const uint8_t *name)
{
	for (unsigned i = 0; i < v->count; i++)
		if (name_is_within(v->node[i].name, name))
			return true;
	return false;
}

static bool ends_zone(unsigned types)
{
	return (types & DNAME) || ((types & NS) && !(types & SOA));
}

static bool is_under_cut(const struct view *v, const uint8_t *name)
{
	for (unsigned i = 0; i < v->count; i++)
		if (name_is_below(name, v->node[i].name) && ends_zone(v->node[i].types))
			return true;
	return false;
}

static const uint8_t *wildcard_for(const struct view *v, const uint8_t *name)
{
	static uint8_t wildcard[NAME_MAX_LEN];
	do
		name = name_parent(name);
	while (!is_there(v, name));
	memcpy(wildcard, "\1*", 2);
	memcpy(wildcard + 2, name, name_len(name));
	return wildcard;
}

/* --- the truth --- */

/* The wildcard counts as far as it is signed: RFC 5155 9.2 asks for opt-out at the next closer name only, and so an
 * asterisk that is but an unsigned delegation, or empty above one, may be denied. */
static bool true_name(const struct view *v, const struct view *is_signed, const uint8_t *name)
{
	return !is_under_cut(v, name) && !is_there(v, name) && !is_there(is_signed, wildcard_for(v, name));
}

static bool lacks(const struct view *v, const uint8_t *name, unsigned bit)
{
	const struct node *node = node_at(v, name);
	unsigned types = node != NULL ? node->types : 0;
	if (types & (bit | CNAME))
		return false;
	return bit == DS ? !(types & SOA) : !(types & NS) || (types & SOA);
}

static bool true_type(const struct view *v, const uint8_t *name, unsigned bit)
{
	if (is_under_cut(v, name))
		return false;
	if (is_there(v, name))
		return lacks(v, name, bit);
	const uint8_t *wildcard = wildcard_for(v, name);
	return is_there(v, wildcard) && lacks(v, wildcard, bit);
}

static bool true_closer(const struct view *v, const uint8_t *name, unsigned labels)
{
	return labels >= 1 && labels < name_labels(name) && !is_there(v, name_suffix(name, labels + 1));
}

static enum no_ds true_ds(const struct view *v, const uint8_t *name)
{
	if (name_is_equal(name, apex) || is_under_cut(v, name))
		return NO_DS_UNKNOWN;
	const struct node *node = node_at(v, name);
	if (node != NULL && (node->types & NS))
		return node->types & DS ? NO_DS_UNKNOWN : NO_DS_DELEGATION;
	if (is_there(v, name))
		return NO_DS_NO_CUT;
	node = node_at(v, wildcard_for(v, name));
	return node != NULL && (node->types & NS) ? NO_DS_UNKNOWN : NO_DS_NO_NAME;
}

/* --- zones and their chains --- */

static int by_name(const void *a, const void *b)
{
	return name_compare_canonical(((const struct node *)a)->name, ((const struct node *)b)->name);
}

static void add_node(struct view *v, const uint8_t *name, unsigned types)
{
	if (node_at(v, name) == NULL) {
		assert_true(v->count < NODES_MOST);
		v->node[v->count++] = (struct node){.name = name, .types = types};
	}
}

static void make_zone(struct view *v)
{
	static const unsigned choices[] = {A, A | MX, MX, MX, NS, NS, NS | DS, CNAME, DNAME, DNAME | A};
	struct view drawn = {.count = 0};
	add_node(&drawn, apex, SOA | NS | (chance(2) ? MX : 0));
	for (unsigned left = chance(10); left > 0; left--)
		add_node(&drawn, random_name(1 + chance(3)), choices[chance(COUNT_OF(choices))]);
	v->count = 0;
	for (unsigned i = 0; i < drawn.count; i++)
		if (!is_under_cut(&drawn, drawn.node[i].name))
			v->node[v->count++] = drawn.node[i];
	qsort(v->node, v->count, sizeof(v->node[0]), by_name);
}

static const char *words_of(unsigned types)
{
	static char text[64];
	text[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (types & kinds[i].bit)
			strcat(text, kinds[i].word);
	return text;
}

static void make_nsec(struct zone_sets *z, const struct view *v)
{
	sets_begin(z, &arena, "z");
	for (unsigned i = 0; i < v->count; i++)
		sets_nsec_names(z, v->node[i].name, v->node[(i + 1) % v->count].name, words_of(v->node[i].types));
}

static void add_empty(struct view *v)
{
	for (unsigned i = 0, count = v->count; i < count; i++)
		for (const uint8_t *at = v->node[i].name; !name_is_equal(at, apex); at = name_parent(at))
			add_node(v, at, 0);
}

/* What is left of a zone when opt-out leaves unsigned delegations out. */
static void leave_out(struct view *is_signed, const struct view *v)
{
	is_signed->count = 0;
	for (unsigned i = 0; i < v->count; i++)
		if ((v->node[i].types & (NS | DS | SOA)) != NS || chance(4) == 0)
			is_signed->node[is_signed->count++] = v->node[i];
}

struct hashed {
	uint8_t hash[NSEC3_HASH];
	unsigned types;
	bool is_signed;
};

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct hashed *)a)->hash, ((const struct hashed *)b)->hash, NSEC3_HASH);
}

/* A span that leaves names out must say so, others may. */
static void make_nsec3(struct zone_sets *z, const struct view *v, const struct view *is_signed, bool may_opt_out)
{
	struct view all = *v, kept = *is_signed;
	struct hashed hashed[NODES_MOST];
	add_empty(&all);
	add_empty(&kept);
	sets_begin(z, &arena, "z");
	sets_salt(z, chance(2) ? "" : "beef", (uint16_t)chance(3));
	for (unsigned i = 0; i < all.count; i++) {
		nsec3_hash(hashed[i].hash, all.node[i].name, z->salt, z->salt_len, z->iterations);
		hashed[i].types = all.node[i].types;
		hashed[i].is_signed = node_at(&kept, all.node[i].name) != NULL;
	}
	qsort(hashed, all.count, sizeof(hashed[0]), by_hash);
	for (unsigned i = 0; i < all.count; i++) {
		if (!hashed[i].is_signed)
			continue;
		unsigned next = (i + 1) % all.count;
		bool opt_out = may_opt_out && chance(3) == 0;
		for (; !hashed[next].is_signed; next = (next + 1) % all.count)
			opt_out = true;
		sets_nsec3_raw(z, hashed[i].hash, hashed[next].hash, opt_out, words_of(hashed[i].types));
	}
}

/* --- what is said, and whether it may be --- */

struct stage {
	const struct view *full, *is_signed;
	const struct zone_sets *sets;
	bool is_nsec, is_whole; /* whole: no record is missing */
	const uint8_t *name;
	const char *what;
};

static void judge(const struct stage *s, enum denied said, bool full, bool as_signed, const char *question)
{
	bool good = said == NOT_DENIED || (said == DENIED && full) || (said == DENIED_UNSIGNED && as_signed);
	if (good && s->is_whole)
		good = said != NOT_DENIED || !full || !as_signed;
	char text[NAME_TEXT], owner[NAME_TEXT];
	if (good)
		return;
	for (unsigned i = 0; i < s->full->count; i++)
		print_message("  %s %s%s\n", name_text(s->full->node[i].name, owner), words_of(s->full->node[i].types),
			node_at(s->is_signed, s->full->node[i].name) ? "" : "left out");
	fail_msg("%s: %s of %s: %d, truth %d, as signed %d", s->what, question, name_text(s->name, text), said, full,
		as_signed);
}

static void judge_ds(const struct stage *s, enum no_ds said)
{
	enum no_ds truth = true_ds(s->full, s->name);
	bool hidden = !is_there(s->is_signed, s->name) && !is_under_cut(s->is_signed, s->name);
	bool good = said == NO_DS_UNKNOWN || said == truth || (said == NO_DS_DELEGATION && hidden) ||
		    (said == NO_DS_NO_NAME && !is_there(s->full, s->name) && !is_under_cut(s->full, s->name));
	if (good && s->is_whole)
		good = said == truth || (said == NO_DS_DELEGATION && hidden) || s->full->count != s->is_signed->count;
	char text[NAME_TEXT];
	if (!good)
		fail_msg("%s: ds of %s: %d, truth %d", s->what, name_text(s->name, text), said, truth);
}

static void ask_all(const struct stage *s, const struct rrset *const *set, uint16_t count)
{
	struct denial denial;
	denial_init(&denial, s->sets->zone, set, count);
	const uint8_t *name = s->name;
	/* As signed, a name in an opt-out span has no types: an empty non-terminal, perhaps. */
	bool hidden = !is_there(s->is_signed, name) && !is_under_cut(s->is_signed, name);
	judge(s, denial_of_name(&denial, name), true_name(s->full, s->is_signed, name),
		true_name(s->is_signed, s->is_signed, name), "name");
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		bool truth = true_type(s->full, name, kinds[i].bit);
		bool as_signed = true_type(s->is_signed, name, kinds[i].bit) || hidden;
		/* Of what is not signed a whole chain has no proof. */
		struct stage half = *s;
		half.is_whole = s->is_whole && s->full->count == s->is_signed->count;
		judge(&half, denial_of_type(&denial, name, kinds[i].type), truth, as_signed, kinds[i].word);
	}
	for (unsigned labels = 0; labels <= name_labels(name); labels++) {
		bool truth = true_closer(s->full, name, labels), as_signed = true_closer(s->is_signed, name, labels);
		/* NSEC say nothing of what is below a cut; hashes know no below. */
		if (s->is_nsec && truth)
			truth = !is_under_cut(s->full, name_suffix(name, labels + 1));
		judge(s, denial_of_closer(&denial, name, labels), truth, as_signed, "closer");
	}
	judge_ds(s, denial_of_ds(&denial, name));
	assert_true(denial.hashes <= DENIAL_HASHES_MOST);
}

static void try_name(struct stage *s)
{
	const struct zone_sets *z = s->sets;
	const struct rrset *some[SETS_MOST];
	s->is_whole = true;
	ask_all(s, z->set, z->count);
	s->is_whole = false;
	for (uint16_t gone = 0; gone < z->count; gone++) {
		memcpy(some, z->set, sizeof(some));
		some[gone] = some[z->count - 1];
		ask_all(s, some, (uint16_t)(z->count - 1));
	}
	uint16_t count = 0;
	for (uint16_t i = 0; i < z->count; i++)
		if (chance(2))
			some[count++] = z->set[i];
	ask_all(s, some, count);
}

static void try_zone(const struct view *full, const struct view *is_signed, const struct zone_sets *sets,
	const char *what, bool is_nsec)
{
	for (unsigned i = 0; i < ASKED; i++) {
		struct stage s = {.full = full, .is_signed = is_signed, .sets = sets, .what = what, .is_nsec = is_nsec};
		s.name = i < full->count ? full->node[i].name : random_name(chance(5));
		try_name(&s);
	}
}

static void test_zones(void **state)
{
	(void)state;
	for (unsigned i = 0; i < zones; i++) {
		struct view full, is_signed;
		struct zone_sets sets;
		arena_init(&arena);
		make_zone(&full);
		make_nsec(&sets, &full);
		try_zone(&full, &full, &sets, "NSEC", true);
		make_nsec3(&sets, &full, &full, false);
		try_zone(&full, &full, &sets, "NSEC3", false);
		leave_out(&is_signed, &full);
		make_nsec3(&sets, &full, &is_signed, true);
		try_zone(&full, &is_signed, &sets, "NSEC3 with opt-out", false);
		arena_deinit(&arena);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_zones)};
	if (argc > 1)
		zones = (unsigned)atoi(argv[1]);
	if (argc > 2)
		chance_state = (uint64_t)atoi(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
