/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings file: a YAML mapping whose keys are those of the long options,
 * with one nested mapping, `langfuse`. What it does not know it refuses, with
 * file, line and column: a misspelt key must not pass for a default.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "cli/settings.h"

enum { FILE_MAX = 256 * 1024, NAME_MAX_BYTES = 64 };

struct reader {
	struct settings *settings;
	const char *path;
	yaml_document_t *document;
	uint32_t seen;			/* bits of enum setting */
	bool has_secret;
	struct buf *error;
};

_Static_assert(SETTING_COUNT <= 32, "reader.seen has a bit for each setting");

static void place(const struct reader *reader, const yaml_mark_t *mark, struct buf *ret)
{
	buf_printf(ret, "%s:%zu:%zu", reader->path, mark->line + 1, mark->column + 1);
}

static _printf_(3, 4) int refuse(const struct reader *reader, const yaml_mark_t *mark, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	place(reader, mark, reader->error);
	buf_printf(reader->error, ": %s", text);
	return -EINVAL;
}

/* Scalars are NUL-terminated by libyaml; one with a NUL inside is refused. */
static const char *scalar(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE || strlen(text) != node->data.scalar.length)
		return NULL;
	return text;
}

static int put_scalar(struct reader *reader, enum setting setting, const yaml_node_t *node,
		      const char *where)
{
	_cleanup_(buf_done) struct buf at = BUF_INIT(SETTINGS_TEXT_MAX);
	_cleanup_(buf_done) struct buf reason = BUF_INIT(SETTINGS_TEXT_MAX);
	const char *text = scalar(node);
	int r;

	if (!text)
		return refuse(reader, &node->start_mark, "'%s' wants a text or a number",
			      setting_spec(setting)->name);
	r = settings_put(reader->settings, setting, text, ORIGIN_FILE, where, &reason);
	if (r == 0)
		return 0;
	/* The reason begins with @where, which has no column. */
	place(reader, &node->start_mark, &at);
	buf_printf(reader->error, "%s: %s%s", buf_text(&at), setting_spec(setting)->name,
		   buf_text(&reason) + MIN(strlen(where), reason.len));
	return r;
}

static int put_value(struct reader *reader, enum setting setting, const yaml_node_t *key,
		     const yaml_node_t *node)
{
	_cleanup_(buf_done) struct buf where = BUF_INIT(SETTINGS_TEXT_MAX);
	const yaml_node_item_t *item;
	int r = 0;

	if (reader->seen & 1u << setting)
		return refuse(reader, &key->start_mark, "'%s' stands here twice", setting_spec(setting)->name);
	reader->seen |= 1u << setting;
	reader->has_secret |= setting_spec(setting)->secrecy == SECRECY_ALL;
	buf_printf(&where, "%s:%zu", reader->path, key->start_mark.line + 1);
	if (node->type != YAML_SEQUENCE_NODE || !setting_spec(setting)->is_list)
		return put_scalar(reader, setting, node, buf_text(&where));
	for (item = node->data.sequence.items.start; item < node->data.sequence.items.top && r == 0; item++)
		r = put_scalar(reader, setting, yaml_document_get_node(reader->document, *item), buf_text(&where));
	return r;
}

static int read_mapping(struct reader *reader, const yaml_node_t *mapping, const char *prefix);

static int read_pair(struct reader *reader, const yaml_node_t *key, const yaml_node_t *value, const char *prefix)
{
	const char *text = scalar(key);
	char name[NAME_MAX_BYTES];
	enum setting setting;

	if (!text || snprintf(name, sizeof(name), "%s%s", prefix, text) >= (int)sizeof(name))
		return refuse(reader, &key->start_mark, "want the name of a setting here");
	if (!*prefix && strcmp(text, "langfuse") == 0) {
		if (value->type != YAML_MAPPING_NODE)
			return refuse(reader, &value->start_mark, "'langfuse' wants settings of its own below it");
		return read_mapping(reader, value, "langfuse.");
	}
	/* A dot nests in the name, not in the file. */
	setting = strchr(text, '.') ? SETTING_COUNT : setting_find(name);
	if (setting == SETTING_COUNT)
		return refuse(reader, &key->start_mark, "unknown setting '%s'; `gentap config` lists those there are",
			      name);
	return put_value(reader, setting, key, value);
}

static int read_mapping(struct reader *reader, const yaml_node_t *mapping, const char *prefix)
{
	const yaml_node_pair_t *pair;
	int r = 0;

	for (pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top && r == 0; pair++)
		r = read_pair(reader, yaml_document_get_node(reader->document, pair->key),
			      yaml_document_get_node(reader->document, pair->value), prefix);
	return r;
}

static void document_done(yaml_document_t *document)
{
	yaml_document_delete(document);
}

static int read_document(struct reader *reader, yaml_parser_t *parser)
{
	_cleanup_(document_done) yaml_document_t document = {};
	const yaml_node_t *root;

	if (!yaml_parser_load(parser, &document))
		return refuse(reader, &parser->problem_mark, "%s",
			      parser->problem ? parser->problem : "not YAML");
	root = yaml_document_get_root_node(&document);
	if (!root)	/* an empty file says nothing */
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return refuse(reader, &root->start_mark, "want lines of the form `setting: value`");
	reader->document = &document;
	return read_mapping(reader, root, "");
}

static void parser_done(yaml_parser_t *parser)
{
	yaml_parser_delete(parser);
}

int settings_read_file(struct settings *settings, const char *path, struct buf *error)
{
	struct reader reader = { .settings = settings, .path = path, .error = error };
	_cleanup_(parser_done) yaml_parser_t parser = {};
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	struct stat st;
	int r;

	if (!file && errno == ENOENT)
		return -ENOENT;
	if (!file || fstat(fileno(file), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		r = file ? -EFBIG : -errno;
		buf_printf(error, "cannot read '%s': %s", path,
			   file ? "not a regular file of at most 256 KiB" : strerror(-r));
		return r;
	}
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_file(&parser, file);
	r = read_document(&reader, &parser);
	if (r == 0 && reader.has_secret && (st.st_mode & 0077))
		buf_printf(&settings->warnings, "'%s' holds a secret key and others may read it: `chmod 600 %s`\n",
			   path, path);
	return r;
}
