// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl make-bus, make-endpoint
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

int verb_make_bus(int argc, char **argv)
{
	const struct kdb_bus_options options = {
		.size	= sizeof(options),
		.flags	= ctl.access,
	};
	g_autofree char *path = g_build_filename(ctl.domain, argv[1], "bus",
						 NULL);
	int fd = kdb_bus_make(ctl.domain, argv[1], &options);
	int r;

	(void)argc;
	if (fd == -EINVAL)
		return fail(fd, "%s: names of buses of yours begin with %u-",
			    argv[1], geteuid());
	if (fd < 0)
		return fail(fd, "%s", path);
	r = bus_hold(path);
	close(fd);
	return r;
}

static const char rule_syntax[] =
	"NAME[:user:WHO|:group:WHO]=see|talk|own";

/**
 * struct grant - a rule of a policy, as it was given
 * @name:	The well-known name
 * @who:	KDBUS_POLICY_ACCESS_*
 * @id:		The user or group
 * @access:	KDBUS_POLICY_*
 */
struct grant {
	char *name;
	uint64_t who;
	uint64_t id;
	uint64_t access;
};

static void grant_clear(gpointer data)
{
	struct grant *rule = data;

	g_free(rule->name);
}

static bool policy_access(const char *word, uint64_t *access)
{
	if (strcmp(word, "see") == 0)
		*access = KDBUS_POLICY_SEE;
	else if (strcmp(word, "talk") == 0)
		*access = KDBUS_POLICY_TALK;
	else if (strcmp(word, "own") == 0)
		*access = KDBUS_POLICY_OWN;
	else
		return false;
	return true;
}

/* WHO is a name or a number. */
static bool policy_subject(const char *kind, const char *who,
			   struct grant *rule)
{
	const struct passwd *user;
	const struct group *group;

	if (strcmp(kind, "user") == 0) {
		rule->who = KDBUS_POLICY_ACCESS_USER;
		user = getpwnam(who);
		if (user)
			rule->id = user->pw_uid;
		if (user)
			return true;
	} else if (strcmp(kind, "group") == 0) {
		rule->who = KDBUS_POLICY_ACCESS_GROUP;
		group = getgrnam(who);
		if (group)
			rule->id = group->gr_gid;
		if (group)
			return true;
	} else {
		return false;
	}
	return g_ascii_string_to_unsigned(who, 10, 0, UINT32_MAX, &rule->id,
					  NULL);
}

/* NAME=ACCESS for everybody, NAME:user:WHO=ACCESS, NAME:group:WHO=ACCESS */
static bool policy_parse(const char *text, struct grant *rule)
{
	g_auto(GStrv) sides = g_strsplit(text, "=", 2);
	g_auto(GStrv) left = g_strsplit(sides[0] ?: "", ":", 3);
	guint n = g_strv_length(left);

	*rule = (struct grant){ .who = KDBUS_POLICY_ACCESS_WORLD };
	if (!sides[0] || !sides[1] || !policy_access(sides[1], &rule->access))
		return false;
	if (n != 1 && (n != 3 || !policy_subject(left[1], left[2], rule)))
		return false;
	rule->name = g_strdup(left[0]);
	return true;
}

/* A name appears once in a policy: its rules go together. */
static int policy_fill(struct kdb_policy *policy, const GArray *rules, size_t i)
{
	const struct grant *first = &g_array_index(rules, struct grant, i);
	size_t j;
	int r;

	for (j = 0; j < i; j++)
		if (strcmp(g_array_index(rules, struct grant, j).name,
			   first->name) == 0)
			return 0;
	r = kdb_policy_name(policy, first->name);
	for (j = i; r == 0 && j < rules->len; j++) {
		const struct grant *rule =
			&g_array_index(rules, struct grant, j);

		if (strcmp(rule->name, first->name) == 0)
			r = kdb_policy_grant(policy, rule->who, rule->id,
					     rule->access);
	}
	return r;
}

static int endpoint_make(const char *name, const GArray *rules)
{
	g_autofree char *bus = bus_path();
	g_autofree char *dir = bus ? g_path_get_dirname(bus) : NULL;
	g_autofree char *path = g_build_filename(dir ?: "", name, NULL);
	struct kdb_policy *policy;
	size_t i;
	int r;

	if (!bus)
		return fail(-EPROTONOSUPPORT, "%s", ctl.address);
	r = kdb_policy_new(&policy);
	if (r < 0)
		return fail(r, "policy");
	for (i = 0; r == 0 && i < rules->len; i++)
		r = policy_fill(policy, rules, i);
	if (r == 0)
		r = kdb_endpoint_make(bus, name, ctl.access, policy);
	kdb_policy_free(policy);
	if (r < 0)
		return fail(r, "%s", path);
	i = r;
	r = bus_hold(path);
	close(i);
	return r;
}

int verb_make_endpoint(int argc, char **argv)
{
	GArray *rules = g_array_new(FALSE, TRUE, sizeof(struct grant));
	int i, r = 0;

	g_array_set_clear_func(rules, grant_clear);
	for (i = 2; r == 0 && i < argc; i++) {
		struct grant rule;

		if (policy_parse(argv[i], &rule))
			g_array_append_val(rules, rule);
		else
			r = usage("%s: not %s", argv[i], rule_syntax);
	}
	if (r == 0)
		r = endpoint_make(argv[1], rules);
	g_array_free(rules, TRUE);
	return r;
}
