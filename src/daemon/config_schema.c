/* Decides which keys there are and of what kind each is: one table for libcyaml, which loads the file by it.
 *
 * The kinds are checked against the same table before libcyaml loads: its own words for what is wrong change from
 * release to release and name neither the section nor the way out. They are kept for what the check might let through.
 */
#include <cyaml/cyaml.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/escape.h"
#include "base/words.h"
#include "daemon/config_parts.h"

#define MAY_BE_THERE            (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define WORD(key, type, member) CYAML_FIELD_STRING_PTR(key, MAY_BE_THERE, struct type, member, 0, CYAML_UNLIMITED)
#define LIST(key, type, member, limit)                                                                                 \
	CYAML_FIELD_SEQUENCE(key, MAY_BE_THERE, struct type, member, &entry_schema, 0, limit)
#define CHOICE(key, type, member, words)                                                                               \
	CYAML_FIELD_ENUM(                                                                                              \
		key, CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct type, member, words, CYAML_ARRAY_LEN(words))
/* A section that is there without a key in it, all of them commented out, is as good as none. */
#define SECTION(key, member, fields)                                                                                   \
	CYAML_FIELD_MAPPING_PTR(                                                                                       \
		key, CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, struct config_raw, member, fields)

static const cyaml_schema_value_t entry_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_strval_t switch_words[] = {
	{"true", CONFIG_ON},
	{"false", CONFIG_OFF},
	{"yes", CONFIG_ON},
	{"no", CONFIG_OFF},
	{"on", CONFIG_ON},
	{"off", CONFIG_OFF},
};

static const cyaml_strval_t level_words[] = {
	{"error", 1 + LOG_LEVEL_ERROR},
	{"warning", 1 + LOG_LEVEL_WARNING},
	{"notice", 1 + LOG_LEVEL_NOTICE},
	{"info", 1 + LOG_LEVEL_INFO},
	{"debug", 1 + LOG_LEVEL_DEBUG},
};

static const cyaml_strval_t lend_words[] = {
	{"fresh", 1},
	{"reserved", 2},
};

static const cyaml_strval_t glue_words[] = {
	{"bailiwick", 1 + CONFIG_GLUE_BAILIWICK},
	{"verified", 1 + CONFIG_GLUE_VERIFIED},
	{"any", 1 + CONFIG_GLUE_ANY},
};

static const cyaml_schema_field_t ports_fields[] = {
	CHOICE("lend", config_raw_ports, lend, lend_words),
	WORD("range", config_raw_ports, range),
	WORD("pool", config_raw_ports, pool),
	WORD("max", config_raw_ports, max),
	WORD("uses", config_raw_ports, uses),
	WORD("age", config_raw_ports, age),
	LIST("exclude", config_raw_ports, exclude, LIMIT_CONFIG_PORTS),
	LIST("include", config_raw_ports, include, LIMIT_CONFIG_PORTS),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t route_fields[] = {
	WORD("zone", config_raw_route, zone),
	LIST("to", config_raw_route, to, LIMIT_CONFIG_ROUTE_TO),
	CHOICE("first", config_raw_route, first, switch_words),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t route_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_raw_route, route_fields),
};

static const cyaml_schema_field_t resolver_fields[] = {
	WORD("root-hints", config_raw_resolver, root_hints),
	CHOICE("minimise", config_raw_resolver, minimise, switch_words),
	CHOICE("ipv4", config_raw_resolver, ipv4, switch_words),
	CHOICE("ipv6", config_raw_resolver, ipv6, switch_words),
	CHOICE("query-loopback", config_raw_resolver, query_loopback, switch_words),
	CHOICE("query-private", config_raw_resolver, query_private, switch_words),
	CHOICE("glue", config_raw_resolver, glue, glue_words),
	CHOICE("nxdomain-cut", config_raw_resolver, nxdomain_cut, switch_words),
	CHOICE("priming", config_raw_resolver, priming, switch_words),
	CYAML_FIELD_SEQUENCE(
		"forward", MAY_BE_THERE, struct config_raw_resolver, forward, &route_schema, 0, LIMIT_CONFIG_ROUTES),
	CYAML_FIELD_SEQUENCE(
		"stub", MAY_BE_THERE, struct config_raw_resolver, stub, &route_schema, 0, LIMIT_CONFIG_ROUTES),
	LIST("ordinary", config_raw_resolver, ordinary, LIMIT_CONFIG_ORDINARY),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t negative_fields[] = {
	WORD("zone", config_raw_negative, zone),
	WORD("until", config_raw_negative, until),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t negative_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_raw_negative, negative_fields),
};

static const cyaml_schema_field_t dnssec_fields[] = {
	CHOICE("validate", config_raw_dnssec, validate, switch_words),
	CHOICE("builtin", config_raw_dnssec, builtin, switch_words),
	LIST("anchors", config_raw_dnssec, anchors, LIMIT_CONFIG_ANCHORS),
	CYAML_FIELD_SEQUENCE(
		"negative", MAY_BE_THERE, struct config_raw_dnssec, negative, &negative_schema, 0, LIMIT_CONFIG_ROUTES),
	WORD("nsec3-iterations", config_raw_dnssec, nsec3_iterations),
	CHOICE("sha1", config_raw_dnssec, sha1, switch_words),
	CHOICE("sentinel", config_raw_dnssec, sentinel, switch_words),
	CHOICE("key-tags", config_raw_dnssec, key_tags, switch_words),
	CHOICE("rollover", config_raw_dnssec, rollover, switch_words),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t cache_fields[] = {
	WORD("memory", config_raw_cache, memory),
	WORD("ttl-min", config_raw_cache, ttl_min),
	WORD("ttl-max", config_raw_cache, ttl_max),
	WORD("stale", config_raw_cache, stale),
	WORD("snapshot", config_raw_cache, snapshot),
	CHOICE("prefetch", config_raw_cache, prefetch, switch_words),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t identity_fields[] = {
	WORD("version", config_raw_identity, version),
	WORD("name", config_raw_identity, name),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t access_fields[] = {
	LIST("allow", config_raw_access, allow, LIMIT_CONFIG_ALLOW),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t web_fields[] = {
	LIST("listen", config_raw_web, listen, LIMIT_CONFIG_WEB),
	LIST("hosts", config_raw_web, hosts, LIMIT_CONFIG_WEB),
	LIST("local", config_raw_web, local, LIMIT_CONFIG_WEB),
	WORD("password-file", config_raw_web, password_file),
	WORD("votes", config_raw_web, votes),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t history_fields[] = {
	WORD("file", config_raw_history, file),
	CHOICE("loans", config_raw_history, loans, switch_words),
	CHOICE("watch", config_raw_history, watch, switch_words),
	WORD("size", config_raw_history, size),
	WORD("age", config_raw_history, age),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t control_fields[] = {
	WORD("socket", config_raw_control, socket),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t log_fields[] = {
	CHOICE("level", config_raw_log, level, level_words),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t root_fields[] = {
	LIST("listen", config_raw, listen, LIMIT_CONFIG_LISTEN),
	WORD("workers", config_raw, workers),
	CHOICE("pin", config_raw, pin, switch_words),
	WORD("user", config_raw, user),
	SECTION("ports", ports, ports_fields),
	SECTION("resolver", resolver, resolver_fields),
	SECTION("dnssec", dnssec, dnssec_fields),
	SECTION("cache", cache, cache_fields),
	SECTION("identity", identity, identity_fields),
	SECTION("access", access, access_fields),
	SECTION("web", web, web_fields),
	SECTION("history", history, history_fields),
	SECTION("control", control, control_fields),
	SECTION("log", log, log_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t root_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_raw, root_fields),
};

/* --- unknown keys --- */

/* The key of the section that may be meant. */
static const char *nearest(const cyaml_schema_field_t *fields, const char *key)
{
	struct near near = near_to(key);
	for (; fields->key != NULL; fields++)
		near_try(&near, fields->key);
	return near.word;
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_field_t *fields, const char *key)
{
	while (fields->key != NULL && strcmp(fields->key, key) != 0)
		fields++;
	return fields->key != NULL ? fields : NULL;
}

/* The section in which a key that was written elsewhere has its place. */
static const char *home_of(const char *key)
{
	for (const cyaml_schema_field_t *f = root_fields; f->key != NULL; f++)
		if (f->value.type == CYAML_MAPPING && find_field(f->value.mapping.fields, key) != NULL)
			return f->key;
	return NULL;
}

static const char *list_keys(const cyaml_schema_field_t *fields, char *out, size_t size)
{
	size_t len = 0;
	for (const cyaml_schema_field_t *f = fields; f->key != NULL && len < size; f++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", f == fields ? "" : ", ", f->key);
	return out;
}

static int complain_unknown(
	const struct config_node *node, const cyaml_schema_field_t *fields, const struct config_report *report)
{
	char path[CONFIG_KEY], keys[256];
	config_tree_path(node, path);
	const char *near = nearest(fields, node->key), *home = home_of(node->key);
	const char *section = node->parent->key != NULL ? node->parent->key : "", *dot = *section ? "." : "";
	if (near != NULL)
		return config_complain(
			report, node->line, path, "there is no such key; did you mean %s%s%s?", section, dot, near);
	if (home != NULL)
		return config_complain(
			report, node->line, path, "there is no such key; did you mean %s.%s?", home, node->key);
	if (find_field(root_fields, node->key) != NULL)
		return config_complain(report, node->line, path,
			"there is no such key; did you mean %s, which stands at the left margin?", node->key);
	return config_complain(report, node->line, path, "there is no such key; %s%s are %s",
		*section ? "those of " : "the keys", section, list_keys(fields, keys, sizeof(keys)));
}

/* --- kinds --- */

static int check_value(
	const struct config_node *node, const cyaml_schema_value_t *schema, const struct config_report *report);

static int check_section(
	const struct config_node *node, const cyaml_schema_field_t *fields, const struct config_report *report)
{
	char path[CONFIG_KEY], keys[256];
	if (node->kind == CONFIG_NOTHING)
		return 0;
	if (node->kind != CONFIG_SECTION)
		return config_complain(report, node->line, node->parent != NULL ? config_tree_path(node, path) : NULL,
			"not a section; write KEY: VALUE lines%s, with keys of %s",
			node->key != NULL ? " indented below it" : "", list_keys(fields, keys, sizeof(keys)));
	for (const struct config_node *child = node->first; child != NULL; child = child->next) {
		const cyaml_schema_field_t *field = find_field(fields, child->key);
		if (field == NULL)
			return complain_unknown(child, fields, report);
		int ret = check_value(child, &field->value, report);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int check_list(
	const struct config_node *node, const cyaml_schema_value_t *schema, const struct config_report *report)
{
	char path[CONFIG_KEY];
	if (node->kind != CONFIG_LIST)
		return config_complain(report, node->line, config_tree_path(node, path),
			"not a list; write %s: [ONE, TWO], or each entry on a line of its own after \"- \"", node->key);
	unsigned count = 0;
	for (const struct config_node *child = node->first; child != NULL; child = child->next) {
		if (++count > schema->sequence.max)
			return config_complain(report, child->line, config_tree_path(node, path),
				"more than %u entries; join some of them", schema->sequence.max);
		int ret = check_value(child, schema->sequence.entry, report);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int check_word(const struct config_node *node, const struct config_report *report)
{
	char path[CONFIG_KEY];
	if (node->kind == CONFIG_TEXT && node->text[0] != '\0')
		return 0;
	if (node->kind == CONFIG_TEXT || node->kind == CONFIG_NOTHING)
		return config_complain(report, node->line, config_tree_path(node, path),
			node->key != NULL ? "has no value; write one after the colon, or take the key away"
					  : "has an empty entry; write a value, or take the entry away");
	return config_complain(report, node->line, config_tree_path(node, path), "%s where one value has to be; %s",
		node->kind == CONFIG_LIST ? "a list" : "a section",
		node->key != NULL ? "write it after the colon" : "write it as it is; quote it when it has a colon");
}

static int check_choice(
	const struct config_node *node, const cyaml_schema_value_t *schema, const struct config_report *report)
{
	char path[CONFIG_KEY], quote[CONFIG_QUOTE], words[128];
	int ret = check_word(node, report);
	if (ret != 0)
		return ret;
	size_t len = 0;
	for (uint32_t i = 0; i < schema->enumeration.count; i++) {
		const char *word = schema->enumeration.strings[i].str;
		if (strcmp(node->text, word) == 0)
			return 0;
		if (schema->enumeration.strings != switch_words || i < 2) /* yes, no, on and off are not advertised */
			len += (size_t)snprintf(words + len, sizeof(words) - len, "%s%s", i > 0 ? ", " : "", word);
	}
	return config_complain(report, node->line, config_tree_path(node, path),
		"\"%s\" is not one of the words for it; write one of %s", escape_text(quote, sizeof(quote), node->text),
		words);
}

static int check_value(
	const struct config_node *node, const cyaml_schema_value_t *schema, const struct config_report *report)
{
	switch (schema->type) {
	case CYAML_MAPPING: return check_section(node, schema->mapping.fields, report);
	case CYAML_SEQUENCE: return check_list(node, schema, report);
	case CYAML_ENUM: return check_choice(node, schema, report);
	default: return check_word(node, report);
	}
}

int config_schema_check(const struct config_node *root, const struct config_report *report)
{
	return check_value(root, &root_schema, report);
}

/* --- loading --- */

struct words {
	char text[256];
};

/* Keeps the first two things libcyaml says: what, and where. */
static void on_cyaml_log(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
	struct words *words = ctx;
	char line[160];
	(void)level;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (strstr(line, "Backtrace") != NULL || strlen(words->text) + strlen(line) + 3 > sizeof(words->text))
		return;
	if (words->text[0] != '\0')
		strcat(words->text, ", ");
	strcat(words->text, line + strspn(line, " "));
}

static cyaml_config_t cyaml_conf(struct words *words)
{
	return (cyaml_config_t){
		.log_fn = words != NULL ? on_cyaml_log : NULL,
		.log_ctx = words,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

int config_schema_load(struct config_raw **raw, const char *text, size_t len, const struct config_report *report)
{
	struct words words = {""};
	char safe[CONFIG_ERROR / 2];
	const cyaml_config_t conf = cyaml_conf(&words);
	*raw = NULL;
	cyaml_err_t err = cyaml_load_data((const uint8_t *)text, len, &conf, &root_schema, (cyaml_data_t **)raw, NULL);
	if (err == CYAML_OK)
		return 0;
	if (err == CYAML_ERR_OOM)
		return E_NOMEM;
	return config_complain(report, 0, NULL, "libcyaml cannot read it: %s (%s); see the example in README.md",
		cyaml_strerror(err), escape_text(safe, sizeof(safe), words.text));
}

void config_schema_free(struct config_raw *raw)
{
	const cyaml_config_t conf = cyaml_conf(NULL);
	cyaml_free(&conf, &root_schema, raw, 0);
}
