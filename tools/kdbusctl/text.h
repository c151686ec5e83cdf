/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Text for people and for programs: tables, and JSON.
 *
 * Strings of other programs may have anything in them. In tables, bytes that
 * are not printable UTF-8 become \xNN, so that no peer can send control
 * sequences to the user's terminal.
 */
#ifndef KDBUSCTL_TEXT_H
#define KDBUSCTL_TEXT_H

#include "ctl.h"

char *text_escape(const char *string, size_t size);

struct table;

struct table *table_new(const char *const *heads);
void table_add(struct table *table, const char *cell);
void table_add_u64(struct table *table, uint64_t n);
void table_print(const struct table *table);
void table_free(struct table *table);

/*
 * JSON is written in the order in which it is read: json_open() and
 * json_close() an array or an object, json_key() before each value in an
 * object.
 */
struct json {
	GString *out;
	unsigned int depth;
	bool first;
	bool keyed;
};

void json_begin(struct json *json);
void json_end(struct json *json);
void json_open(struct json *json, char bracket);
void json_close(struct json *json, char bracket);
void json_key(struct json *json, const char *key);
void json_string(struct json *json, const char *string);
void json_raw(struct json *json, const char *value);
void json_u64(struct json *json, uint64_t n);
void json_i64(struct json *json, int64_t n);
void json_double(struct json *json, double d);
void json_bool(struct json *json, bool b);

#endif
