// SPDX-License-Identifier: GPL-2.0-only
/* Programs as text, and back; fuzz.h has the grammar. */

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static const char word_marks[] = {
	[W_SIZE] = '=', [W_ID] = '@', [W_ADDR] = '&', [W_FD] = '#',
	[W_OFFSET] = '%', [W_SOON] = '+', [W_OLD] = '?', [W_LAP] = '^',
	[W_POOL] = '*', [W_STALL] = '$',
};

/* ------------------------------------------------------------------------ */

struct out {
	char *buf;
	size_t size, used;
};

static void __attribute__((__format__(__printf__, 2, 3)))
put(struct out *o, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(o->buf + o->used, o->size - o->used, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= o->size - o->used)
		abort();
	o->used += n;
}

static void put_word(struct out *o, const struct word *w)
{
	if (w->kind == W_SIZE)
		put(o, " =");
	else if (w->kind == W_LITERAL)
		put(o, " %llx", (unsigned long long)w->value);
	else
		put(o, " %c%llx", word_marks[w->kind],
		    (unsigned long long)w->value);
}

static void put_item(struct out *o, const struct item *item)
{
	const struct item_info *info = item_info(item->type);
	unsigned int i;

	if (info)
		put(o, " {%s", info->name);
	else
		put(o, " {%llx", (unsigned long long)item->type);
	if (item->repeat > 1)
		put(o, "*%x", item->repeat);
	if (item->delta)
		put(o, "/%d", item->delta);
	for (i = 0; i < item->n; i++)
		put_word(o, &item->words[i]);
	if (item->has_str) {
		put(o, " \"%s\"", item->str);
		if (item->length)
			put(o, "~%x", item->length);
		if (item->no_nul)
			put(o, "!");
	}
	put(o, "}");
}

size_t prog_print(const struct prog *p, char *buf, size_t size)
{
	struct out o = { buf, size, 0 };
	unsigned int i, j;

	put(&o, "%s\n", p->ordered ? "ordered" : "free");
	for (i = 0; i < p->n; i++) {
		const struct call *c = &p->calls[i];

		put(&o, "%u %s s%u", c->thread, ops[c->op].name, c->slot);
		if (c->place)
			put(&o, " @%s", place_names[c->place]);
		if (c->fail)
			put(&o, " fail=%x", c->fail);
		for (j = 0; j < c->n_words; j++)
			put_word(&o, &c->words[j]);
		for (j = 0; j < c->n_items; j++)
			put_item(&o, &c->items[j]);
		put(&o, "\n");
	}
	return o.used;
}

/* ------------------------------------------------------------------------ */

struct in {
	const char *p, *end;
};

static void skip_space(struct in *in)
{
	while (in->p < in->end && *in->p == ' ')
		in->p++;
}

static bool take(struct in *in, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(in->end - in->p) < n || memcmp(in->p, word, n))
		return false;
	in->p += n;
	return true;
}

static bool take_hex(struct in *in, u64 *value)
{
	char *end;

	if (in->p == in->end || !isxdigit((unsigned char)*in->p))
		return false;
	*value = strtoull(in->p, &end, 16);
	in->p = end;
	return true;
}

/* letters, digits and dashes */
static size_t name_length(const struct in *in)
{
	const char *p = in->p;

	while (p < in->end && (isalnum((unsigned char)*p) || *p == '-'))
		p++;
	return p - in->p;
}

static bool take_word(struct in *in, struct word *w)
{
	unsigned int kind;

	w->kind = W_LITERAL;
	w->value = 0;
	for (kind = W_SIZE; kind < N_WORD_KINDS; kind++) {
		if (*in->p != word_marks[kind])
			continue;
		in->p++;
		w->kind = kind;
		if (kind == W_SIZE)
			return true;
	}
	return take_hex(in, &w->value);
}

static bool take_str(struct in *in, struct item *item)
{
	const char *quote;
	u64 length = 0;

	in->p++;
	quote = memchr(in->p, '"', in->end - in->p);
	if (!quote || quote - in->p >= N_STR)
		return false;
	item->has_str = true;
	memcpy(item->str, in->p, quote - in->p);
	in->p = quote + 1;
	if (take(in, "~") && !take_hex(in, &length))
		return false;
	item->length = length;
	item->no_nul = take(in, "!");
	return true;
}

static bool take_type(struct in *in, struct item *item)
{
	size_t n = name_length(in);
	const struct item_info *info = item_info_named(in->p, n);

	if (!info)
		return take_hex(in, &item->type);
	item->type = info->type;
	in->p += n;
	return true;
}

/* what follows the brace */
static bool take_item(struct in *in, struct item *item)
{
	u64 repeat = 1;

	if (!take_type(in, item) || (take(in, "*") && !take_hex(in, &repeat)))
		return false;
	item->repeat = repeat;
	if (take(in, "/")) {
		char *end;

		item->delta = strtol(in->p, &end, 10);
		in->p = end;
	}
	for (;;) {
		skip_space(in);
		if (in->p == in->end)
			return false;
		if (take(in, "}"))
			return true;
		if (*in->p == '"') {
			if (!take_str(in, item))
				return false;
		} else if (item->n == N_ITEM_WORDS ||
			   !take_word(in, &item->words[item->n++])) {
			return false;
		}
	}
}

static bool take_op(struct in *in, struct call *c)
{
	size_t n = name_length(in);
	unsigned int i;

	for (i = 0; i < n_ops; i++) {
		if (strncmp(ops[i].name, in->p, n) || ops[i].name[n])
			continue;
		c->op = i;
		in->p += n;
		return true;
	}
	return false;
}

static bool take_place(struct in *in, struct call *c)
{
	unsigned int i;

	for (i = 0; i < N_PLACES; i++) {
		struct in try = { in->p + 1, in->end };

		if (*in->p != '@' || !take(&try, place_names[i]))
			continue;
		c->place = i;
		*in = try;
		return true;
	}
	return false;
}

static bool take_call(struct in *in, struct call *c)
{
	u64 thread, slot, fail = 0;

	if (!take_hex(in, &thread) || thread >= N_THREADS || !take(in, " ") ||
	    !take_op(in, c) || !take(in, " s") || !take_hex(in, &slot) ||
	    slot >= N_SLOTS)
		return false;
	c->thread = thread;
	c->slot = slot;
	skip_space(in);
	if (take_place(in, c))
		skip_space(in);
	if (take(in, "fail=") && !take_hex(in, &fail))
		return false;
	c->fail = fail;
	for (;;) {
		skip_space(in);
		if (in->p == in->end)
			return true;
		if (take(in, "{")) {
			if (c->n_items == N_ITEMS ||
			    !take_item(in, &c->items[c->n_items++]))
				return false;
		} else if (c->n_items || c->n_words == N_WORDS ||
			   !take_word(in, &c->words[c->n_words++])) {
			return false;
		}
	}
}

unsigned int prog_parse(struct prog *p, const char *text)
{
	bool begun = false;
	unsigned int line;

	memset(p, 0, sizeof(*p));
	for (line = 1; *text; line++) {
		struct in in = { text, strchrnul(text, '\n') };

		if (*text == '#') {
			in.p = in.end;
		} else if (!begun) {
			begun = true;
			p->ordered = take(&in, "ordered");
			if (!p->ordered && !take(&in, "free"))
				return line;
		} else if (p->n == N_CALLS ||
			   !take_call(&in, &p->calls[p->n++])) {
			return line;
		}
		if (in.p != in.end)
			return line;
		text = in.end + !!*in.end;
	}
	return p->n ? 0 : line;
}
