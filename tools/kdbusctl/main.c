// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

#define DEFAULT_TIMEOUT	(25 * NSEC_PER_SEC)

struct ctl_options ctl = {
	.timeout = DEFAULT_TIMEOUT,
};

/* Which bus was asked for, until all options are read */
static struct {
	const char *bus;
	const char *address;
	const char *domain;
	bool user;
	char *made_address;
	char *made_domain;
} place;

static void complain(int error, const char *format, va_list args)
{
	g_autofree char *text = g_strdup_vprintf(format, args);

	if (error)
		g_printerr("kdbusctl: %s: %s\n", text, g_strerror(-error));
	else
		g_printerr("kdbusctl: %s\n", text);
}

int fail(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(error, format, args);
	va_end(args);
	return EXIT_FAILURE;
}

/* For what no errno says */
int fail_plain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(0, format, args);
	va_end(args);
	return EXIT_FAILURE;
}

int usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(0, format, args);
	va_end(args);
	return EXIT_USAGE;
}

/* Any number of arguments */
#define ANY	(-1)
/* The same, and what comes after the first is no option: it may be a -5 */
#define WORDS	(-2)

/**
 * struct verb - what the program can do
 * @name:	Its name
 * @min:	Arguments it takes at least
 * @max:	And at most, or one of the following
 * @run:	What does it
 */
struct verb {
	const char *name;
	int min;
	int max;
	int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
	{ "list",		0, 0,	verb_list },
	{ "status",		0, 1,	verb_status },
	{ "quota",		0, 0,	verb_quota },
	{ "wait",		1, 1,	verb_wait },
	{ "make-bus",		1, 1,	verb_make_bus },
	{ "make-endpoint",	1, ANY,	verb_make_endpoint },
	{ "call",		4, WORDS,	verb_call },
	{ "emit",		3, WORDS,	verb_emit },
	{ "get-property",	4, ANY,	verb_get_property },
	{ "set-property",	6, WORDS,	verb_set_property },
	{ "introspect",		2, 2,	verb_introspect },
	{ "tree",		0, ANY,	verb_tree },
	{ "monitor",		0, ANY,	verb_monitor },
	{ "capture",		0, ANY,	verb_capture },
};

static const char help[] =
"Usage: kdbusctl [OPTION]... VERB [ARGUMENT]...\n"
"Look at a kdbus bus, and talk to what is on it.\n"
"\n"
"Verbs:\n"
"  list                     connections and names\n"
"  status [NAME]            what is known about a peer, or about the bus\n"
"  quota                    how full pools and queues are\n"
"  wait NAME                until somebody owns the name\n"
"  make-bus NAME            make a bus, until Ctrl-C\n"
"  make-endpoint NAME [RULE]...\n"
"                           make a custom endpoint, until Ctrl-C; a RULE is\n"
"                           NAME[:user:WHO|:group:WHO]=see|talk|own\n"
"  call DEST PATH IFACE METHOD [SIGNATURE [ARG]...]\n"
"  emit PATH IFACE SIGNAL [SIGNATURE [ARG]...]\n"
"  get-property DEST PATH IFACE PROPERTY...\n"
"  set-property DEST PATH IFACE PROPERTY SIGNATURE ARG...\n"
"  introspect DEST PATH     what an object has\n"
"  tree [DEST]...           the objects of services\n"
"  monitor [NAME]...        messages on the bus, or from and to these\n"
"  capture [NAME]... >FILE  the same as pcapng, for Wireshark\n"
"\n"
"Which bus:\n"
"      --system             that of the system (default)\n"
"      --user               that of the calling user\n"
"      --bus=NAME[/ENDPOINT]  the one of this name\n"
"      --domain=DIR         below this directory, [" KDB_DOMAIN "]; without a\n"
"                           slash, a domain in there\n"
"      --address=ADDRESS    at this address: kernel:path=NODE\n"
"\n"
"Options:\n"
"      --json=short|pretty  print JSON; -j is short for --json=short\n"
"      --timeout=SECONDS    to wait for a peer [25]; also 100ms, 2min\n"
"  -q, --quiet              print only errors\n"
"      --no-legend          print no headings\n"
"      --unique             list: connections\n"
"      --acquired           list: names that are owned\n"
"      --activatable        list: names of services that can be started\n"
"      --queued             list: connections that wait for a name\n"
"      --access=group|world make-bus, make-endpoint: who else may open it\n"
"      --verbose            call, get-property: a line for each value\n"
"      --expect-reply=no    call: do not wait for an answer\n"
"      --auto-start=no      fail rather than have a service started\n"
"      --destination=NAME   emit: send to this peer only\n"
"      --xml-interface      introspect: print the XML\n"
"      --list               tree: print paths\n"
"      --match=RULE         monitor, capture: what fits it; may be repeated\n"
"      --limit-messages=N   monitor, capture: stop after so many\n"
"      --buffer=SIZE        monitor, capture: for messages that wait [16M]\n"
"  -h, --help\n"
"\n"
"Exit status: 0; 1 if something failed; 2 for wrong usage.\n";

enum {
	OPT_SYSTEM = 256, OPT_USER, OPT_BUS, OPT_DOMAIN, OPT_ADDRESS, OPT_JSON,
	OPT_TIMEOUT, OPT_NO_LEGEND, OPT_UNIQUE, OPT_ACQUIRED, OPT_ACTIVATABLE,
	OPT_QUEUED, OPT_ACCESS, OPT_VERBOSE, OPT_EXPECT_REPLY, OPT_AUTO_START,
	OPT_XML, OPT_LIST, OPT_DESTINATION, OPT_MATCH, OPT_LIMIT, OPT_BUFFER,
};

static const struct option long_options[] = {
	{ "system",	no_argument,		NULL, OPT_SYSTEM },
	{ "user",	no_argument,		NULL, OPT_USER },
	{ "bus",	required_argument,	NULL, OPT_BUS },
	{ "domain",	required_argument,	NULL, OPT_DOMAIN },
	{ "address",	required_argument,	NULL, OPT_ADDRESS },
	{ "json",	required_argument,	NULL, OPT_JSON },
	{ "timeout",	required_argument,	NULL, OPT_TIMEOUT },
	{ "quiet",	no_argument,		NULL, 'q' },
	{ "no-legend",	no_argument,		NULL, OPT_NO_LEGEND },
	{ "unique",	no_argument,		NULL, OPT_UNIQUE },
	{ "acquired",	no_argument,		NULL, OPT_ACQUIRED },
	{ "activatable", no_argument,		NULL, OPT_ACTIVATABLE },
	{ "queued",	no_argument,		NULL, OPT_QUEUED },
	{ "access",	required_argument,	NULL, OPT_ACCESS },
	{ "verbose",	no_argument,		NULL, OPT_VERBOSE },
	{ "expect-reply", required_argument,	NULL, OPT_EXPECT_REPLY },
	{ "auto-start",	required_argument,	NULL, OPT_AUTO_START },
	{ "xml-interface", no_argument,		NULL, OPT_XML },
	{ "list",	no_argument,		NULL, OPT_LIST },
	{ "destination", required_argument,	NULL, OPT_DESTINATION },
	{ "match",	required_argument,	NULL, OPT_MATCH },
	{ "limit-messages", required_argument,	NULL, OPT_LIMIT },
	{ "buffer",	required_argument,	NULL, OPT_BUFFER },
	{ "help",	no_argument,		NULL, 'h' },
	{ }
};

static int option_json(const char *value)
{
	if (strcmp(value, "short") == 0)
		ctl.json = JSON_SHORT;
	else if (strcmp(value, "pretty") == 0)
		ctl.json = JSON_PRETTY;
	else if (strcmp(value, "off") == 0)
		ctl.json = JSON_OFF;
	else
		return usage("--json=%s: not short, pretty or off", value);
	return 0;
}

static int option_access(const char *value)
{
	if (strcmp(value, "group") == 0)
		ctl.access = KDBUS_MAKE_ACCESS_GROUP;
	else if (strcmp(value, "world") == 0)
		ctl.access = KDBUS_MAKE_ACCESS_WORLD;
	else
		return usage("--access=%s: not group or world", value);
	return 0;
}

/* For options that are on unless they are switched off */
static int option_not(const char *name, const char *value, bool *off)
{
	if (strcmp(value, "no") == 0)
		*off = true;
	else if (strcmp(value, "yes") == 0)
		*off = false;
	else
		return usage("--%s=%s: not yes or no", name, value);
	return 0;
}

static int option_limit(const char *value)
{
	if (g_ascii_string_to_unsigned(value, 10, 1, UINT64_MAX, &ctl.limit,
				       NULL))
		return 0;
	return usage("--limit-messages=%s: not a number from 1 on", value);
}

/* Bytes, or with K or M; a pool consists of whole pages */
static int option_buffer(const char *value)
{
	uint64_t page = sysconf(_SC_PAGESIZE), n;
	char *end;

	n = g_ascii_strtoull(value, &end, 10);
	if (strcmp(end, "K") == 0)
		n <<= 10;
	else if (strcmp(end, "M") == 0)
		n <<= 20;
	else if (*end)
		n = 0;
	if (!g_ascii_isdigit(*value) || !n || n > 1ULL << 40)
		return usage("--buffer=%s: not a size", value);
	ctl.buffer = (n + page - 1) / page * page;
	return 0;
}

/* Seconds, or with a unit as systemd has them */
static int option_timeout(const char *value)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {
		{ "", NSEC_PER_SEC }, { "s", NSEC_PER_SEC }, { "ms", 1e6 },
		{ "us", 1e3 }, { "min", 60e9 }, { "h", 3600e9 },
	};
	char *end;
	double n = g_ascii_strtod(value, &end);
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		n *= units[i].ns;
		/* 0 would be no deadline for the kernel */
		if (end == value || !(n >= 1) || n > 1e18)
			break;
		ctl.timeout = n;
		ctl.timeout_set = true;
		return 0;
	}
	return usage("--timeout=%s: not a time", value);
}

static void print_help(void)
{
	fputs(help, stdout);
}

static int option_place(int option)
{
	switch (option) {
	case OPT_SYSTEM:
		place.user = false;
		place.bus = NULL;
		place.address = NULL;
		break;
	case OPT_USER:
		place.user = true;
		place.bus = NULL;
		place.address = NULL;
		break;
	case OPT_BUS:
		place.bus = optarg;
		place.address = NULL;
		break;
	case OPT_DOMAIN:
		place.domain = optarg;
		break;
	case OPT_ADDRESS:
		place.address = optarg;
		place.bus = NULL;
		break;
	}
	return 0;
}

/* Of the verbs that talk to a peer */
static int option_peer(int option)
{
	switch (option) {
	case OPT_EXPECT_REPLY:
		return option_not("expect-reply", optarg, &ctl.no_reply);
	case OPT_AUTO_START:
		return option_not("auto-start", optarg, &ctl.no_start);
	case OPT_VERBOSE:
		ctl.verbose = true;
		break;
	case OPT_XML:
		ctl.xml = true;
		break;
	case OPT_LIST:
		ctl.paths = true;
		break;
	case OPT_MATCH:
		g_ptr_array_add(ctl.matches, optarg);
		break;
	case OPT_BUFFER:
		return option_buffer(optarg);
	case OPT_LIMIT:
		return option_limit(optarg);
	case OPT_DESTINATION:
		ctl.destination = optarg;
		break;
	default:
		return option_place(option);
	}
	return 0;
}

static int option(int option)
{
	switch (option) {
	case 'h':
		print_help();
		exit(0);
	case 'q':
		ctl.quiet = true;
		break;
	case 'j':
		ctl.json = JSON_SHORT;
		break;
	case OPT_JSON:
		return option_json(optarg);
	case OPT_TIMEOUT:
		return option_timeout(optarg);
	case OPT_NO_LEGEND:
		ctl.no_legend = true;
		break;
	case OPT_UNIQUE:
		ctl.unique = true;
		break;
	case OPT_ACQUIRED:
		ctl.acquired = true;
		break;
	case OPT_ACTIVATABLE:
		ctl.activatable = true;
		break;
	case OPT_QUEUED:
		ctl.queued = true;
		break;
	case OPT_ACCESS:
		return option_access(optarg);
	case '?':
		return EXIT_USAGE;
	default:
		return option_peer(option);
	}
	return 0;
}

/* optind is then where the arguments begin. */
static int options(int argc, char **argv, const char *shorts)
{
	int c, r;

	optind = 0;
	while ((c = getopt_long(argc, argv, shorts, long_options, NULL)) >= 0) {
		r = option(c);
		if (r)
			return r;
	}
	return 0;
}

static char *node_address(const char *bus)
{
	g_autofree char *path = NULL;
	g_autofree char *escaped = NULL;

	path = g_build_filename(ctl.domain, bus,
				strchr(bus, '/') ? NULL : "bus", NULL);
	escaped = g_uri_escape_string(path, "/", FALSE);
	return g_strdup_printf("kernel:path=%s", escaped);
}

static void resolve_domain(void)
{
	const char *domain = place.domain ?: KDB_DOMAIN;

	if (strchr(domain, '/'))
		place.made_domain = g_strdup(domain);
	else
		place.made_domain = g_build_filename(KDB_DOMAIN, "domain",
						     domain, NULL);
	ctl.domain = place.made_domain;
}

/*
 * Of a domain that was asked for, the environment knows nothing. The addresses
 * there are followed by sockets: those are for other programs.
 */
static void resolve_place(void)
{
	g_autofree char *user = g_strdup_printf("%u-user", getuid());
	const char *known = getenv(place.user ? "DBUS_SESSION_BUS_ADDRESS" :
					      "DBUS_SYSTEM_BUS_ADDRESS");

	resolve_domain();
	if (place.address)
		place.made_address = g_strdup(place.address);
	else if (place.bus)
		place.made_address = node_address(place.bus);
	else if (known && *known && !place.domain)
		place.made_address = g_strdup(known);
	else
		place.made_address = node_address(place.user ? user :
						  "0-system");
	ctl.address = place.made_address;
}

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int run(int argc, char **argv)
{
	const struct verb *verb;
	int r;

	r = options(argc, argv, "+hqj");
	if (r)
		return r;
	argc -= optind;
	argv += optind;
	if (!argc)
		return usage("no verb; --help lists them");
	verb = find_verb(argv[0]);
	if (!verb)
		return usage("%s: no such verb", argv[0]);
	r = options(argc, argv, verb->max == WORDS ? "+hqj" : "hqj");
	if (r)
		return r;
	argc -= optind;
	if (argc < verb->min)
		return usage("%s: arguments are missing; see --help", argv[0]);
	if (verb->max >= 0 && argc > verb->max)
		return usage("%s: too many arguments", argv[0]);
	/* with the NULL at the end */
	memmove(argv + 1, argv + optind, (argc + 1) * sizeof(*argv));
	resolve_place();
	return verb->run(argc + 1, argv);
}

int main(int argc, char **argv)
{
	int r;

	setlocale(LC_ALL, "");
	ctl.matches = g_ptr_array_new();
	r = run(argc, argv);
	/* a full disk is an error as well */
	if (fflush(stdout) == EOF || ferror(stdout))
		r = fail(-errno, "stdout");
	g_ptr_array_free(ctl.matches, TRUE);
	g_free(place.made_address);
	g_free(place.made_domain);
	return r;
}
