// SPDX-License-Identifier: GPL-2.0
/*
 * ctl-unit - messages and arguments against known bytes and words; needs no bus
 */
#include <stdio.h>
#include <string.h>

#include "body.h"
#include "rule.h"
#include "wire.h"

struct ctl_options ctl = { .json = JSON_SHORT };

static unsigned int passed, failed;

static void check(bool good, const char *what, const char *more)
{
	if (good)
		passed++;
	else
		failed++;
	if (!good)
		printf("not ok - %s: %s\n", what, more);
}

static GByteArray *from_hex(const char *hex)
{
	GByteArray *bytes = g_byte_array_new();
	unsigned int byte;
	guint8 one;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
		one = byte;
		g_byte_array_append(bytes, &one, 1);
		while (hex[2] == ' ')
			hex++;
	}
	return bytes;
}

/* Arguments as sd-bus of systemd 217 reads them */
static const struct {
	const char *signature;
	const char *words;	/* NULL separates them */
	const char *hex;
} bodies[] = {
	{ "asas", "2 a bc 1 d", "61 00 62 63 00 02 05 64 00 02 07" },
	{ "sax", "a 0", "61 00 00 00 00 00 00 00 02" },
	{ "ayu", "3 1 2 3 9", "01 02 03 00 09 00 00 00 03" },
	{ "a{ss}", "2 a b cc dd",
	  "61 00 62 00 02 63 63 00 64 64 00 03 05 0c" },
	{ "ybq", "1 true 0", "01 01 00 00" },
	{ "ty", "5 3", "05 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00" },
	{ "a(ty)", "2 5 3 6 4",
	  "05 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00"
	  "06 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00" },
	{ "v", "(ty) 5 3",
	  "05 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00 00 28 74 79 29" },
};

static GVariant *parse(const char *signature, const char *line, char **why)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	int fds[253];
	size_t n_fds;

	return body_parse(signature, *line ? words : words + 1, fds, &n_fds,
			  why);
}

static void test_bodies(void)
{
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(bodies); i++) {
		g_autofree char *words = NULL;
		g_autofree char *why = NULL;
		GByteArray *bytes = from_hex(bodies[i].hex);
		GVariant *body = parse(bodies[i].signature, bodies[i].words,
				       &why);

		check(body, bodies[i].signature, why);
		if (!body)
			continue;
		check(g_variant_get_size(body) == bytes->len &&
		      memcmp(g_variant_get_data(body), bytes->data,
			     bytes->len) == 0, bodies[i].signature, "bytes");
		g_variant_unref(body);
		g_byte_array_free(bytes, TRUE);
	}
}

/* As they are written without padding, and what they mean */
static const struct {
	const char *type;
	const char *hex;
	const char *words;	/* NULL: it cannot be read */
} unpadded[] = {
	{ "(ty)", "05 00 00 00 00 00 00 00 03", "5 3" },
	{ "(a(ty))", "05 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00"
	  "06 00 00 00 00 00 00 00 04", "2 5 3 6 4" },
	{ "(v)", "05 00 00 00 00 00 00 00 03 00 28 74 79 29", "(ty) 5 3" },
	{ "((ub)y)", "01 00 00 00 01 07", "1 true 7" },
	{ "(sa{ty}s)", "61 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02"
	  "62 00 11 02", "\"a\" 1 1 2 \"b\"" },
	{ "(as)", "61 00 62 63 00 02 05", "2 \"a\" \"bc\"" },
	{ "(ty)", "05 00 00 00 00 00 00 00", NULL },
	{ "(ty)", "", NULL },
	{ "(as)", "61 00 62 63 00 02 09", NULL },
	{ "(as)", "ff", NULL },
	{ "(ss)", "61 00 62 00 09", NULL },
	{ "(ss)", "", NULL },
	{ "(sss)", "00", NULL },
	{ "(v)", "01 02", NULL },
	{ "(v)", "01 00 28", NULL },
	{ "(a(ty))", "05 00 00 00 00 00 00 00 03 00", NULL },
};

static void test_unpadded(void)
{
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(unpadded); i++) {
		GByteArray *bytes = from_hex(unpadded[i].hex);
		/* exactly as long: what reads beyond is found */
		g_autofree guint8 *data = g_memdup2(bytes->data, bytes->len);
		GVariant *body = unpadded_read(unpadded[i].type, data,
					       bytes->len);
		g_autofree char *words = body ? body_words(body) : NULL;

		check(g_strcmp0(words, unpadded[i].words) == 0,
		      unpadded[i].hex, words ?: "not read");
		if (body)
			g_variant_unref(body);
		g_byte_array_free(bytes, TRUE);
	}
}

/* A call as systemd 217 sends it */
static const char call_hex[] =
	"6c 01 00 02 19 00 00 00 01 00 00 00 87 00 00 00"
	"01 00 00 00 00 00 00 00 2f 63 6f 6d 2f 65 78 61"
	"6d 70 6c 65 2f 43 61 6c 63 00 00 6f 00 00 00 00"
	"03 00 00 00 00 00 00 00 41 64 64 00 00 73 00 00"
	"02 00 00 00 00 00 00 00 63 6f 6d 2e 65 78 61 6d"
	"70 6c 65 2e 43 61 6c 63 31 00 00 73 00 00 00 00"
	"06 00 00 00 00 00 00 00 63 6f 6d 2e 65 78 61 6d"
	"70 6c 65 2e 43 61 6c 63 00 00 73 00 00 00 00 00"
	"08 00 00 00 00 00 00 00 73 75 61 7b 73 76 7d 00"
	"00 67 1c 2e 4c 6b 82 00"
	"68 69 00 00 07 00 00 00 6b 00 00 00 00 00 00 00"
	"fe ff ff ff 00 69 02 0f 03";

static void test_read(const GByteArray *bytes)
{
	g_autofree char *words = NULL;
	struct wire wire;
	const char *why = wire_parse(&wire, bytes->data, bytes->len);

	check(!why, "worked message", why);
	if (why)
		return;
	check(wire.type == WIRE_CALL && wire.flags == 0 && wire.cookie == 1 &&
	      !wire.note, "worked message", "header");
	check(strcmp(wire.path, "/com/example/Calc") == 0 &&
	      strcmp(wire.interface, "com.example.Calc1") == 0 &&
	      strcmp(wire.member, "Add") == 0 &&
	      strcmp(wire.destination, "com.example.Calc") == 0 &&
	      strcmp(wire.signature, "sua{sv}") == 0 && !wire.sender,
	      "worked message", "fields");
	words = body_words(wire.body);
	check(strcmp(words, "\"hi\" 7 1 \"k\" i -2") == 0, "worked message",
	      words);
	wire_clear(&wire);
}

static void test_write(const GByteArray *bytes)
{
	g_autofree char *why = NULL;
	struct wire wire = {
		.type		= WIRE_CALL,
		.cookie		= 1,
		.path		= "/com/example/Calc",
		.interface	= "com.example.Calc1",
		.member		= "Add",
		.destination	= "com.example.Calc",
		.signature	= "sua{sv}",
		.body		= parse("sua{sv}", "hi 7 1 k i -2", &why),
	};
	size_t size = g_variant_get_size(wire.body);

	wire.head = wire_head(&wire);
	check(wire.head->len + size == bytes->len &&
	      memcmp(wire.head->data, bytes->data, wire.head->len) == 0 &&
	      memcmp(g_variant_get_data(wire.body),
		     bytes->data + wire.head->len, size) == 0,
	      "worked message", "bytes that are written");
	wire_clear(&wire);
}

static void test_faults(const GByteArray *good)
{
	static const struct {
		size_t at;
		guint8 byte;
		const char *why;
	} faults[] = {
		{ 0, 'B', "byte order" }, { 1, 0, "type is 0" },
		{ 3, 1, "version 2" }, { 4, 0x18, "sizes" },
		{ 8, 0, "cookie" }, { 12, 0, "systemd 219" },
		{ 12, 0x80, "sizes" }, { 16, 0, "code 0" },
		{ 16, 3, "wrong type" }, { 48, 2, "repeated" },
		{ 48, 7, "missing" }, { 56, '1', "name in the header" },
		{ 0x97, 0xff, "sizes" }, { 0x92, 0xff, "fields" },
		{ 0x88, 'm', "fields" }, { 0x9a, 'x', "body" },
	};
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(faults); i++) {
		g_autofree guint8 *data = g_memdup2(good->data, good->len);
		struct wire wire;
		const char *why;

		data[faults[i].at] = faults[i].byte;
		why = wire_parse(&wire, data, good->len);
		if (faults[i].at == 0x97)
			check(!why, "padding", why);
		else
			check(why && strstr(why, faults[i].why), faults[i].why,
			      why ?: "read");
		wire_clear(&wire);
	}
}

/* No cut of it is a message, and none is read beyond its end. */
static void test_cuts(const GByteArray *good)
{
	size_t size;

	for (size = 0; size < good->len; size++) {
		g_autofree guint8 *data = g_memdup2(good->data, size);
		struct wire wire;

		check(wire_parse(&wire, data, size), "cut", "read");
		wire_clear(&wire);
	}
}

static void test_parse(void)
{
	static const struct {
		const char *signature;
		const char *words;
		const char *result;	/* what is printed, or part of why not */
		bool good;
	} rows[] = {
		{ "ynqiuxt", "0xff -32768 65535 -1 4294967295 -5 18446744073709551615",
		  "255 -32768 65535 -1 4294967295 -5 18446744073709551615", true },
		{ "d", "0.1", "0.1", true },
		{ "dd", "1e300 -0.333", "1e+300 -0.333", true },
		{ "bb", "yes off", "true false", true },
		{ "so", "x /a/b", "\"x\" \"/a/b\"", true },
		{ "a{s(ib)}", "1 k 5 no", "1 \"k\" 5 false", true },
		{ "v", "as 2 a b", "as 2 \"a\" \"b\"", true },
		{ "y", "256", "'256': not a number of type y", false },
		{ "u", "-1", "'-1': not a number of type u", false },
		{ "i", "1x", "'1x': not a number of type i", false },
		{ "b", "2", "not a boolean", false },
		{ "o", "a", "not a path", false },
		{ "ss", "a", "of type s is missing", false },
		{ "s", "a b", "'b': more than", false },
		{ "as", "2 a", "missing", false },
		{ "as", "-1", "not a number of elements", false },
		{ "v", "ss a b", "not the signature of one value", false },
		{ "()", "", "not a signature", false },
		{ "ms", "a", "not a signature", false },
		{ "z", "a", "not a signature", false },
		{ "a", "1", "not a signature", false },
	};
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *why = NULL;
		g_autofree char *words = NULL;
		GVariant *body = parse(rows[i].signature, rows[i].words, &why);

		words = body ? body_words(body) : NULL;
		if (rows[i].good)
			check(g_strcmp0(words, rows[i].result) == 0,
			      rows[i].signature, words ?: why);
		else
			check(!body && strstr(why, rows[i].result),
			      rows[i].words, why ?: "taken");
		if (body)
			g_variant_unref(body);
	}
}

/* A call on a socket, as another program makes it */
static const char classic_hex[] =
	"6c 01 00 01 28 00 00 00 01 00 00 00 91 00 00 00"
	"01 01 6f 00 11 00 00 00 2f 63 6f 6d 2f 65 78 61"
	"6d 70 6c 65 2f 43 61 6c 63 00 00 00 00 00 00 00"
	"02 01 73 00 11 00 00 00 63 6f 6d 2e 65 78 61 6d"
	"70 6c 65 2e 43 61 6c 63 31 00 00 00 00 00 00 00"
	"03 01 73 00 03 00 00 00 41 64 64 00 00 00 00 00"
	"06 01 73 00 10 00 00 00 63 6f 6d 2e 65 78 61 6d"
	"70 6c 65 2e 43 61 6c 63 00 00 00 00 00 00 00 00"
	"07 01 73 00 04 00 00 00 3a 31 2e 37 00 00 00 00"
	"08 01 67 00 0b 73 75 61 7b 73 76 7d 28 79 62 29"
	"00 00 00 00 00 00 00 00 02 00 00 00 68 69 00 00"
	"07 00 00 00 10 00 00 00 01 00 00 00 6b 00 01 69"
	"00 00 00 00 fe ff ff ff 09 00 00 00 01 00 00 00";

static void test_classic(void)
{
	g_autofree char *why = NULL;
	struct wire wire = {
		.type		= WIRE_CALL,
		.cookie		= 1,
		.path		= "/com/example/Calc",
		.interface	= "com.example.Calc1",
		.member		= "Add",
		.destination	= "com.example.Calc",
		.sender		= ":1.7",
		.signature	= "sua{sv}(yb)",
		.body		= parse("sua{sv}(yb)", "hi 7 1 k i -2 9 yes",
					&why),
	};
	GByteArray *bytes = from_hex(classic_hex);
	GByteArray *made = classic_message(&wire);

	check(made->len == bytes->len &&
	      memcmp(made->data, bytes->data, made->len) == 0, "classic",
	      "bytes");
	g_byte_array_free(bytes, TRUE);
	g_byte_array_free(made, TRUE);
	wire_clear(&wire);
}

static void test_rules(void)
{
	static const struct {
		const char *rule;
		int fits;	/* -1: it is none */
	} rows[] = {
		{ "", 1 }, { "type='signal'", 1 }, { "type=signal", 1 },
		{ "type=error", 0 }, { "sender=:1.7", 1 }, { "sender=a.b", 0 },
		{ "interface=com.example.Calc1,member='Changed'", 1 },
		{ "member=Chang", 0 }, { "path=/com/example/Calc", 1 },
		{ "path=/com/example", 0 }, { "path_namespace=/com/example", 1 },
		{ "path_namespace=/com/exam", 0 }, { "path_namespace=/", 1 },
		{ "destination=:1.7", 0 }, { "arg0=com.example.foo", 1 },
		{ "arg0=com.example", 0 }, { "arg0namespace=com.example", 1 },
		{ "arg0namespace=com.example.foo", 1 },
		{ "arg0namespace=com.exam", 0 }, { "arg1path=/a/", 1 },
		{ "arg1path=/a/b/c/d", 1 }, { "arg1path=/a/b/c/", 1 },
		{ "arg1path=/a/b", 0 }, { "arg1=/a/b/c/", 1 }, { "arg2=x", 0 },
		{ "arg3=x", 0 }, { "arg0=com\\.example.foo", 1 },
		{ "arg0='com.example.foo',arg1=/a/b/c/", 1 },
		{ "arg64=x", -1 }, { "arg00=x", -1 }, { "arg=x", -1 },
		{ "eavesdrop=true", -1 }, { "type", -1 }, { "member='a", -1 },
		{ "member='a'b", -1 }, { "member=a,", -1 }, { ",", -1 },
		{ "member=a,member=a", -1 },
	};
	g_autofree char *none = NULL;
	const struct wire wire = {
		.type		= WIRE_SIGNAL,
		.path		= "/com/example/Calc",
		.interface	= "com.example.Calc1",
		.member		= "Changed",
		.sender		= ":1.7",
		.body		= parse("ssu", "com.example.foo /a/b/c/ 5",
					&none),
	};
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *why = NULL;
		struct rule *rule = rule_parse(rows[i].rule, &why);

		check(!rule == (rows[i].fits < 0) && !rule == !!why,
		      rows[i].rule, why ?: "taken");
		if (!rule)
			continue;
		check(rule_fits(rule, &wire, NULL) == rows[i].fits,
		      rows[i].rule, "fits or not");
		rule_free(rule);
	}
	g_variant_unref(wire.body);
}

/* A variant in a variant, and so on */
static void test_depth(void)
{
	size_t depth;

	for (depth = 64; depth <= 65; depth++) {
		GString *line = g_string_new(NULL);
		g_autofree char *why = NULL;
		GVariant *body;
		size_t i;

		for (i = 1; i < depth; i++)
			g_string_append(line, "v ");
		g_string_append(line, "y 1");
		body = parse("v", line->str, &why);
		check(!body == (depth > 64), "depth", why ?: "taken");
		if (body)
			g_variant_unref(body);
		g_string_free(line, TRUE);
	}
}

static void test_names(void)
{
	check(wire_is_interface("a.b_1") && !wire_is_interface("a") &&
	      !wire_is_interface("a..b") && !wire_is_interface("a.1b") &&
	      !wire_is_interface(".a") && !wire_is_interface("a.b.") &&
	      !wire_is_interface("a.b-c") && !wire_is_interface(""),
	      "names", "interface");
	check(wire_is_member("Add1") && !wire_is_member("a.b") &&
	      !wire_is_member("1a") && !wire_is_member(""), "names", "member");
	check(wire_is_destination("a.b-c") && wire_is_destination(":1.7") &&
	      !wire_is_destination(":") && !wire_is_destination("a"),
	      "names", "destination");
}

static void test_text(void)
{
	static const char odd[] = "a\033[31m\xff\xc3\xa4";
	g_autofree char *escaped = text_escape(odd, sizeof(odd) - 1);
	struct json json;

	check(strcmp(escaped, "a\\x1b[31m\\xff\xc3\xa4") == 0, "escape",
	      escaped);
	json_begin(&json);
	json_open(&json, '[');
	json_string(&json, "a\"\\\n\033");
	json_double(&json, 0.5);
	json_close(&json, ']');
	check(strcmp(json.out->str, "[\"a\\\"\\\\\\n\\u001b\",0.5]") == 0,
	      "JSON", json.out->str);
	g_string_free(json.out, TRUE);
}

int main(void)
{
	GByteArray *call = from_hex(call_hex);

	test_bodies();
	test_unpadded();
	test_read(call);
	test_write(call);
	test_faults(call);
	test_cuts(call);
	test_parse();
	test_depth();
	test_classic();
	test_rules();
	test_names();
	test_text();
	g_byte_array_free(call, TRUE);
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0;
}
