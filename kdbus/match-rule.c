// SPDX-License-Identifier: GPL-2.0
#include <linux/minmax.h>
#include <linux/string.h>

#include "bus.h"
#include "cmd.h"
#include "item.h"
#include "limits.h"
#include "match.h"

/**
 * kdbus_match_rules_check() - check the rules of a match
 * @bus:	Where
 * @cmd:	KDBUS_CMD_MATCH_ADD
 *
 * Documentation/kdbus.txt, section 16.2.
 *
 * Return: 0, -EDOM, -ENAMETOOLONG or -EINVAL.
 */
int kdbus_match_rules_check(const struct kdbus_bus *bus,
			    const struct kdbus_cmd *cmd)
{
	size_t payload, filter = bus->bloom.size;
	const struct kdbus_item *item;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		payload = kdbus_item_payload(item);
		if (item->type == KDBUS_ITEM_BLOOM_MASK &&
		    (payload < filter || payload % filter))
			return -EDOM;
		if (item->type == KDBUS_ITEM_NAME &&
		    payload > KDBUS_NAME_MAX_LEN + 1)
			return -ENAMETOOLONG;
		if (item->type == KDBUS_ITEM_NAME &&
		    !kdbus_match_name_is_valid(item->str))
			return -EINVAL;
	}

	return 0;
}

static bool rule_is_event(const struct kdbus_item *item)
{
	return item->type >= KDBUS_ITEM_NAME_ADD &&
	       item->type <= KDBUS_ITEM_ID_REMOVE;
}

static bool rule_is_about_id(u64 type)
{
	return type == KDBUS_ITEM_ID_ADD || type == KDBUS_ITEM_ID_REMOVE;
}

static bool rule_is_cast(const struct kdbus_item *item)
{
	return item->type == KDBUS_ITEM_BLOOM_MASK ||
	       item->type == KDBUS_ITEM_ID || item->type == KDBUS_ITEM_NAME;
}

/* the name in a rule about names, NULL for any */
static const char *rule_name(const struct kdbus_item *item)
{
	if (rule_is_about_id(item->type) ||
	    kdbus_item_payload(item) == sizeof(item->name_change))
		return NULL;
	return item->name_change.name;
}

/* generations in the longest mask, and bytes for all names */
static void rules_measure(const struct kdbus_bus *bus,
			  const struct kdbus_cmd *cmd, u64 *blocks,
			  size_t *names)
{
	const size_t filter = bus->bloom.size;
	const struct kdbus_item *item;
	const char *name;

	*blocks = 0;
	*names = 0;
	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		if (item->type == KDBUS_ITEM_BLOOM_MASK)
			*blocks = max_t(u64, *blocks,
					kdbus_item_payload(item) / filter);
		else if (item->type == KDBUS_ITEM_NAME)
			*names += strlen(item->str) + 1;
		if (!rule_is_event(item))
			continue;
		name = rule_name(item);
		*names += name ? strlen(name) + 1 : 0;
	}
}

/**
 * kdbus_match_rules_size() - how much memory rules need
 * @bus:	Where
 * @cmd:	KDBUS_CMD_MATCH_ADD, checked
 * @n_blocks:	Set to how many generations of filters there are masks for
 *
 * Return: Bytes beside &struct kdbus_match_rules.
 */
size_t kdbus_match_rules_size(const struct kdbus_bus *bus,
			      const struct kdbus_cmd *cmd, u64 *n_blocks)
{
	size_t names;
	u64 blocks;

	rules_measure(bus, cmd, &blocks, &names);
	*n_blocks = blocks;
	if (blocks > 1)
		blocks++;
	return blocks * bus->bloom.size + names;
}

/* false if two rules ask for different ids */
static bool rules_add_id(u64 *wanted, u64 id)
{
	if (id == KDBUS_MATCH_ID_ANY || id == *wanted)
		return true;
	if (*wanted != KDBUS_MATCH_ID_ANY)
		return false;

	*wanted = id;
	return true;
}

static void rules_add_mask(struct kdbus_match_rules *rules,
			   const struct kdbus_item *item)
{
	u64 blocks = kdbus_item_payload(item) / (rules->words * sizeof(u64));
	const u64 *from;
	unsigned int i;
	u64 block;

	for (block = 0; block < rules->n_blocks; block++) {
		from = item->data64 + min(block, blocks - 1) * rules->words;
		for (i = 0; i < rules->words; i++)
			rules->mask[block * rules->words + i] |= from[i];
	}
}

/* false if there are more than a connection can own */
static bool rules_add_name(struct kdbus_match_rules *rules, const char *name)
{
	char *pos = rules->names;
	unsigned int i;

	for (i = 0; i < rules->n_names; i++, pos += strlen(pos) + 1)
		if (!strcmp(pos, name))
			return true;

	if (rules->n_names == KDBUS_CONN_MAX_NAMES)
		return false;
	strcpy(pos, name);
	rules->n_names++;
	return true;
}

static bool rules_add_cast(struct kdbus_match_rules *rules,
			   const struct kdbus_item *item)
{
	switch (item->type) {
	case KDBUS_ITEM_BLOOM_MASK:
		rules_add_mask(rules, item);
		return true;
	case KDBUS_ITEM_ID:
		return rules_add_id(&rules->sender, item->id);
	default:
		return rules_add_name(rules, item->str);
	}
}

static bool rules_add_event(struct kdbus_match_rules *rules,
			    const struct kdbus_item *item)
{
	const char *name = rule_name(item);

	if (rules->type && rules->type != item->type)
		return false;
	rules->type = item->type;
	if (rule_is_about_id(item->type))
		return rules_add_id(&rules->old_id, item->id_change.id);
	if (name && rules->name && strcmp(name, rules->name))
		return false;
	if (name && !rules->name)
		rules->name = strcpy(rules->names, name);
	return rules_add_id(&rules->old_id, item->name_change.old_id.id) &&
	       rules_add_id(&rules->new_id, item->name_change.new_id.id);
}

static bool rules_add(struct kdbus_match_rules *rules,
		      const struct kdbus_item *item)
{
	enum kdbus_match_kind kind;

	/* of other types, rules are nothing */
	if (!rule_is_event(item) && !rule_is_cast(item))
		return true;

	kind = rule_is_event(item) ? KDBUS_MATCH_EVENT : KDBUS_MATCH_CAST;
	if (rules->kind != KDBUS_MATCH_ANYTHING && rules->kind != kind)
		return false;
	rules->kind = kind;
	return kind == KDBUS_MATCH_EVENT ? rules_add_event(rules, item) :
					   rules_add_cast(rules, item);
}

/* what all generations but the first have in common */
static void rules_find_later(struct kdbus_match_rules *rules)
{
	unsigned int i;
	u64 block;

	memcpy(rules->later, rules->mask + rules->words,
	       rules->words * sizeof(u64));
	for (block = 2; block < rules->n_blocks; block++)
		for (i = 0; i < rules->words; i++)
			rules->later[i] &= rules->mask[block * rules->words + i];
}

/**
 * kdbus_match_rules_init() - find out what a match asks for
 * @rules:	The rules, uninitialised
 * @space:	Memory for them, as much as kdbus_match_rules_size() says, zeroed
 * @bus:	Where
 * @cmd:	KDBUS_CMD_MATCH_ADD, checked
 */
void kdbus_match_rules_init(struct kdbus_match_rules *rules, void *space,
			    const struct kdbus_bus *bus,
			    const struct kdbus_cmd *cmd)
{
	const struct kdbus_item *item;
	size_t names;

	*rules = (struct kdbus_match_rules){
		.kind	= KDBUS_MATCH_ANYTHING,
		.words	= bus->bloom.size / sizeof(u64),
		.sender	= KDBUS_MATCH_ID_ANY,
		.old_id	= KDBUS_MATCH_ID_ANY,
		.new_id	= KDBUS_MATCH_ID_ANY,
	};
	rules_measure(bus, cmd, &rules->n_blocks, &names);
	rules->mask = space;
	space += rules->n_blocks * bus->bloom.size;
	rules->later = space;
	if (rules->n_blocks > 1)
		space += bus->bloom.size;
	rules->names = space;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		if (rules_add(rules, item))
			continue;
		rules->kind = KDBUS_MATCH_NOTHING;
		return;
	}

	if (rules->n_blocks > 1)
		rules_find_later(rules);
}

/**
 * kdbus_match_rules_pass() - whether a filter has all bits
 * @rules:	The rules
 * @filter:	Bloom filter of a broadcast
 * @generation:	Its generation
 *
 * Return: Whether it has.
 */
bool kdbus_match_rules_pass(const struct kdbus_match_rules *rules,
			    const u64 *filter, u64 generation)
{
	const u64 *block;
	unsigned int i;

	if (!rules->n_blocks)
		return true;

	block = rules->mask + min(generation, rules->n_blocks - 1) *
			      rules->words;
	for (i = 0; i < rules->words; i++)
		if (block[i] & ~filter[i])
			return false;
	return true;
}
