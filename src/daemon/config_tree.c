/* Decides which of YAML a configuration may use: text, lists and sections. Anchors, aliases, tags, a second document,
 * a key said twice and control characters are refused here, with their line, before libcyaml sees the text; so are
 * bombs, because nothing is ever expanded. Which keys there are is config_schema.c's. */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/error.h"
#include "base/escape.h"
#include "daemon/config_parts.h"

struct builder {
	struct arena *arena;
	const struct config_report *report;
	struct config_node *root, *open; /* open: the list or section that is being read */
	const char *key;                 /* read, and its value not yet */
	unsigned key_line, depth, documents;
};

const struct config_node *config_tree_child(const struct config_node *section, const char *key)
{
	const struct config_node *node = section != NULL ? section->first : NULL;
	while (node != NULL && (node->key == NULL || strcmp(node->key, key) != 0))
		node = node->next;
	return node;
}

const char *config_tree_path(const struct config_node *node, char out[static CONFIG_KEY])
{
	const char *keys[LIMIT_CONFIG_DEPTH + 2];
	unsigned count = 0;
	for (; node != NULL; node = node->parent)
		if (node->key != NULL && count < LIMIT_CONFIG_DEPTH + 2)
			keys[count++] = node->key;
	size_t len = 0;
	out[0] = '\0';
	while (count > 0 && len + 5 < CONFIG_KEY) {
		if (len > 0)
			out[len++] = '.';
		escape_text(out + len, CONFIG_KEY - len, keys[--count]);
		len += strlen(out + len);
	}
	return out;
}

static unsigned line_of(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.line + 1;
}

static int complain_open(const struct builder *b, unsigned line, const char *what)
{
	char path[CONFIG_KEY];
	if (b->open != NULL && config_tree_path(b->open, path)[0] != '\0')
		return config_complain(b->report, line, path, "%s", what);
	return config_complain(b->report, line, NULL, "%s", what);
}

static bool is_nothing(const char *text, size_t len)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
			return true;
	return false;
}

static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	return false;
}

static int take_key(struct builder *b, const char *text, unsigned line)
{
	const struct config_node *twin = config_tree_child(b->open, text);
	b->key = text;
	b->key_line = line;
	if (twin != NULL) {
		char path[CONFIG_KEY];
		return config_complain(b->report, line, config_tree_path(twin, path),
			"is said twice, first in line %u; keep one of them", twin->line);
	}
	if (b->open->count >= LIMIT_CONFIG_KEYS)
		return complain_open(b, line, "more keys than there can be in one section; take the unknown ones away");
	return 0;
}

static struct config_node *add_node(struct builder *b, enum config_kind kind, unsigned line)
{
	struct config_node *node = arena_zalloc(b->arena, sizeof(*node)), *parent = b->open;
	/* A key's line is what people look for, and a block section starts one line below its key. */
	*node = (struct config_node){.kind = kind, .line = b->key != NULL ? b->key_line : line, .key = b->key};
	node->parent = parent;
	b->key = NULL;
	if (parent == NULL) {
		b->root = node;
		return node;
	}
	if (parent->last != NULL)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
	return node;
}

static bool wants_key(const struct builder *b)
{
	return b->open != NULL && b->open->kind == CONFIG_SECTION && b->key == NULL;
}

static int take_scalar(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	if (has_control(text, len))
		return complain_open(b, line_of(event),
			"a value of more than one line, or with a control character in it; write it on one line");
	char *copy = arena_copy(b->arena, text, len + 1); /* libyaml ends it with NUL */
	if (wants_key(b))
		return take_key(b, copy, line_of(event));
	bool nothing = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && is_nothing(text, len);
	add_node(b, nothing ? CONFIG_NOTHING : CONFIG_TEXT, line_of(event))->text = nothing ? NULL : copy;
	return 0;
}

static int take_start(struct builder *b, const yaml_event_t *event, enum config_kind kind)
{
	if (wants_key(b))
		return complain_open(b, line_of(event), "a list or a section where a key has to be; write KEY: VALUE");
	b->open = add_node(b, kind, line_of(event));
	if (++b->depth > LIMIT_CONFIG_DEPTH)
		return complain_open(b, line_of(event), "nested deeper than any key of this file; check the brackets");
	return 0;
}

static int take_end(struct builder *b)
{
	b->open = b->open->parent;
	b->depth--;
	return 0;
}

static int refuse_anchor(struct builder *b, const yaml_event_t *event)
{
	return complain_open(b, line_of(event),
		"anchors and aliases (& and *) are not used in this file; "
		"write the value itself, in quotes when it starts with one of them");
}

static int refuse_tag(struct builder *b, const yaml_event_t *event)
{
	return complain_open(b, line_of(event),
		"tags (!) are not used in this file; write the value itself, in quotes when it starts with one");
}

static int take_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT: return refuse_anchor(b, event);
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++ > 0)
			return config_complain(b->report, line_of(event), NULL,
				"a second document starts here (---); write one document");
		return 0;
	case YAML_SCALAR_EVENT:
		if (event->data.scalar.anchor != NULL)
			return refuse_anchor(b, event);
		return event->data.scalar.tag != NULL ? refuse_tag(b, event) : take_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor != NULL)
			return refuse_anchor(b, event);
		return event->data.sequence_start.tag != NULL ? refuse_tag(b, event)
							      : take_start(b, event, CONFIG_LIST);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor != NULL)
			return refuse_anchor(b, event);
		return event->data.mapping_start.tag != NULL ? refuse_tag(b, event)
							     : take_start(b, event, CONFIG_SECTION);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: return take_end(b);
	default: return 0;
	}
}

/* libyaml's words for what people do most, and ours. */
static const struct {
	const char *theirs, *ours;
	bool at_start; /* the line where it begins helps, not the one where the text ran out */
} syntax_words[] = {
	{"found character that cannot start any token",
		"a tab or a character that has to be in quotes; "
		"indent with spaces, quote the value",
		false},
	{"found a tab character", "a tab in the indentation; indent with spaces", false},
	{"mapping values are not allowed",
		"a colon where no key can be; check the indentation, quote a value with a colon", false},
	{"found unexpected ':'", "a colon that is part of a value or has no space after it; quote the value", false},
	{"did not find expected node content", "a value that has to be in quotes, as \"::1\" has in a list; quote it",
		false},
	{"could not find expected ':'", "a line that is not KEY: VALUE; add the colon", true},
	{"did not find expected key",
		"the indentation does not fit the lines above; indent the keys of a section alike", false},
	{"did not find expected ',' or ']'", "a list that does not end; close it with ]", true},
	{"did not find expected ',' or '}'", "a section in braces that does not end; close it with }", true},
	{"found unexpected end of stream", "a quote that does not end; close it", true},
	{"did not find expected '-' indicator", "a line that does not start with - in a list; indent its entries alike",
		false},
	{"did not find expected <document start>", "text after the end of the sections; check the indentation", false},
	{"control characters are not allowed", "a control character; take it away", false},
};

static unsigned line_of_offset(const char *text, size_t offset)
{
	unsigned line = 1;
	for (size_t i = 0; i < offset && text[i] != '\0'; i++)
		line += text[i] == '\n';
	return line;
}

static int complain_syntax(const yaml_parser_t *parser, const char *text, const struct config_report *report)
{
	const char *problem = parser->problem != NULL ? parser->problem : "out of memory";
	unsigned line = (unsigned)parser->problem_mark.line + 1;
	if (parser->error == YAML_READER_ERROR)
		line = line_of_offset(text, parser->problem_offset);
	for (size_t i = 0; i < sizeof(syntax_words) / sizeof(syntax_words[0]); i++)
		if (strstr(problem, syntax_words[i].theirs) != NULL)
			return config_complain(report,
				syntax_words[i].at_start ? (unsigned)parser->context_mark.line + 1 : line, NULL, "%s",
				syntax_words[i].ours);
	return config_complain(report, line, NULL, "this is not YAML: %s; see the example in README.md", problem);
}

int config_tree_read(struct config_node **root, const char *text, size_t len, struct arena *arena,
	const struct config_report *report)
{
	struct builder b = {.arena = arena, .report = report};
	yaml_parser_t parser;
	if (yaml_parser_initialize(&parser) == 0)
		return E_NOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	int ret = 0;
	for (bool more = true; more && ret == 0;) {
		yaml_event_t event;
		if (yaml_parser_parse(&parser, &event) == 0) {
			ret = complain_syntax(&parser, text, report);
			break;
		}
		more = event.type != YAML_STREAM_END_EVENT;
		ret = take_event(&b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	*root = b.root != NULL && b.root->kind != CONFIG_NOTHING ? b.root : NULL;
	return ret;
}
