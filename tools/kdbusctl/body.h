/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arguments of messages as text: the words that busctl takes and prints, JSON,
 * and one value a line.
 */
#ifndef KDBUSCTL_BODY_H
#define KDBUSCTL_BODY_H

#include "text.h"

void body_hex(const void *data, size_t size);
void body_json_message(struct json *json, const char *signature,
		       GVariant *body);
void body_json(struct json *json, GVariant *value);
char *body_words(GVariant *value);
char *body_lines(GVariant *value, unsigned int indent);

/* parse.c */
GVariant *body_parse(const char *signature, char **words, int *fds,
		     size_t *n_fds, char **why);

#endif
