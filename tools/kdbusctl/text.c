// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/* Bytes as printable UTF-8 */
char *text_escape(const char *string, size_t size)
{
	GString *out = g_string_sized_new(size);
	const char *end = string + size;
	gunichar c;

	while (string < end) {
		c = g_utf8_get_char_validated(string, end - string);
		if (c >= (gunichar)-2 || !g_unichar_isprint(c)) {
			g_string_append_printf(out, "\\x%02x", 0xff & *string++);
			continue;
		}
		g_string_append_unichar(out, c);
		string = g_utf8_next_char(string);
	}
	return g_string_free(out, FALSE);
}

struct table {
	const char *const *heads;
	size_t columns;
	GPtrArray *cells;
};

/* heads end with NULL, and stay the caller's */
struct table *table_new(const char *const *heads)
{
	struct table *table = g_new0(struct table, 1);

	table->heads = heads;
	table->columns = g_strv_length((char **)heads);
	table->cells = g_ptr_array_new_with_free_func(g_free);
	return table;
}

void table_add(struct table *table, const char *cell)
{
	if (!cell || !*cell)
		cell = "-";
	g_ptr_array_add(table->cells, text_escape(cell, strlen(cell)));
}

void table_add_u64(struct table *table, uint64_t n)
{
	g_ptr_array_add(table->cells, g_strdup_printf("%" PRIu64, n));
}

static size_t table_width(const struct table *table, size_t column)
{
	size_t i, width = 0;

	if (!ctl.no_legend)
		width = strlen(table->heads[column]);
	for (i = column; i < table->cells->len; i += table->columns)
		width = MAX(width, (size_t)g_utf8_strlen(table->cells->pdata[i],
							 -1));
	return width;
}

static void table_row(const char *const *cells, const size_t *widths, size_t n)
{
	size_t i;

	for (i = 0; i + 1 < n; i++)
		printf("%s%*s ", cells[i],
		       (int)(widths[i] - g_utf8_strlen(cells[i], -1)), "");
	puts(cells[i]);
}

void table_print(const struct table *table)
{
	g_autofree size_t *widths = g_new(size_t, table->columns);
	size_t i;

	for (i = 0; i < table->columns; i++)
		widths[i] = table_width(table, i);
	if (!ctl.no_legend)
		table_row(table->heads, widths, table->columns);
	for (i = 0; i < table->cells->len; i += table->columns)
		table_row((const char *const *)table->cells->pdata + i, widths,
			  table->columns);
}

void table_free(struct table *table)
{
	g_ptr_array_free(table->cells, TRUE);
	g_free(table);
}

void json_begin(struct json *json)
{
	*json = (struct json){ .out = g_string_new(NULL), .first = true };
}

/* Prints it. */
void json_end(struct json *json)
{
	puts(json->out->str);
	g_string_free(json->out, TRUE);
}

static void json_line(struct json *json)
{
	unsigned int i;

	if (ctl.json != JSON_PRETTY)
		return;
	g_string_append_c(json->out, '\n');
	for (i = 0; i < json->depth; i++)
		g_string_append_c(json->out, '\t');
}

/* What stands before a value */
static void json_before(struct json *json)
{
	if (json->keyed) {
		json->keyed = false;
		return;
	}
	if (!json->depth)
		return;
	if (!json->first)
		g_string_append_c(json->out, ',');
	json->first = false;
	json_line(json);
}

void json_open(struct json *json, char bracket)
{
	json_before(json);
	g_string_append_c(json->out, bracket);
	json->depth++;
	json->first = true;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	if (!json->first)
		json_line(json);
	json->first = false;
	g_string_append_c(json->out, bracket);
}

void json_raw(struct json *json, const char *value)
{
	json_before(json);
	g_string_append(json->out, value);
}

static void json_quoted(GString *out, const char *string)
{
	g_autofree char *valid = g_utf8_make_valid(string, -1);
	const char *c;

	g_string_append_c(out, '"');
	for (c = valid; *c; c++) {
		if (*c == '"' || *c == '\\')
			g_string_append_printf(out, "\\%c", *c);
		else if (*c == '\n')
			g_string_append(out, "\\n");
		else if (g_ascii_iscntrl(*c))
			g_string_append_printf(out, "\\u%04x", *c);
		else
			g_string_append_c(out, *c);
	}
	g_string_append_c(out, '"');
}

void json_key(struct json *json, const char *key)
{
	json_before(json);
	json_quoted(json->out, key);
	g_string_append(json->out, ctl.json == JSON_PRETTY ? " : " : ":");
	json->keyed = true;
}

void json_string(struct json *json, const char *string)
{
	if (!string) {
		json_raw(json, "null");
		return;
	}
	json_before(json);
	json_quoted(json->out, string);
}

void json_u64(struct json *json, uint64_t n)
{
	json_before(json);
	g_string_append_printf(json->out, "%" PRIu64, n);
}

void json_i64(struct json *json, int64_t n)
{
	json_before(json);
	g_string_append_printf(json->out, "%" PRIi64, n);
}

/* JSON has no number for what is not finite. */
void json_double(struct json *json, double d)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	if (isfinite(d))
		json_raw(json, g_ascii_dtostr(text, sizeof(text), d));
	else
		json_raw(json, "null");
}

void json_bool(struct json *json, bool b)
{
	json_raw(json, b ? "true" : "false");
}
