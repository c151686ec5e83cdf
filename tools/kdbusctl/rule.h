/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Match rules as D-Bus has them: type='signal',interface='com.example.Calc1'
 */
#ifndef KDBUSCTL_RULE_H
#define KDBUSCTL_RULE_H

#include "wire.h"

struct rule;

struct rule *rule_parse(const char *text, char **why);
void rule_free(gpointer rule);
bool rule_fits(const struct rule *rule, const struct wire *wire,
	       const struct kdb_meta *meta);

#endif
