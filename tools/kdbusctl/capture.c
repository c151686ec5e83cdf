// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl capture: pcapng, as Wireshark reads it
 *
 * A block is its type, its length, what it is about, and its length again;
 * options are at its end. All is in the byte order of this machine, which the
 * first block tells.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

#define LINKTYPE_DBUS	231

enum {
	BLOCK_SECTION		= 0x0a0d0d0a,
	BLOCK_INTERFACE		= 1,
	BLOCK_STATISTICS	= 5,
	BLOCK_PACKET		= 6,
};

enum {
	OPTION_END		= 0,
	OPTION_COMMENT		= 1,
	OPTION_IF_NAME		= 2,
	OPTION_START_TIME	= 2,
	OPTION_END_TIME		= 3,
	OPTION_USERAPPL		= 4,
	OPTION_RECEIVED		= 4,
	OPTION_DROPPED		= 5,
	OPTION_TSRESOL		= 9,
};

static uint64_t now_realtime(void)
{
	return g_get_real_time() * 1000ULL;
}

static void put_u16(GByteArray *out, guint16 n)
{
	g_byte_array_append(out, (const guint8 *)&n, sizeof(n));
}

static void put_u32(GByteArray *out, guint32 n)
{
	g_byte_array_append(out, (const guint8 *)&n, sizeof(n));
}

static void put_u64(GByteArray *out, guint64 n)
{
	g_byte_array_append(out, (const guint8 *)&n, sizeof(n));
}

/* Times are two words, the upper one first. */
static void put_time(GByteArray *out, uint64_t ns)
{
	put_u32(out, ns >> 32);
	put_u32(out, ns);
}

static void put_padded(GByteArray *out, const void *data, size_t size)
{
	static const guint8 zeros[4];

	g_byte_array_append(out, data, size);
	g_byte_array_append(out, zeros, -size & 3);
}

static void put_option(GByteArray *out, guint16 code, const void *data,
		       guint16 size)
{
	put_u16(out, code);
	put_u16(out, size);
	put_padded(out, data, size);
}

static void put_option_u64(GByteArray *out, guint16 code, uint64_t n)
{
	put_option(out, code, &n, sizeof(n));
}

static void put_option_time(GByteArray *out, guint16 code, uint64_t ns)
{
	put_u16(out, code);
	put_u16(out, 8);
	put_time(out, ns);
}

/* Takes the block. */
static void block_write(guint32 type, GByteArray *body)
{
	guint32 size = body->len + 12;

	fwrite(&type, sizeof(type), 1, stdout);
	fwrite(&size, sizeof(size), 1, stdout);
	fwrite(body->data, body->len, 1, stdout);
	fwrite(&size, sizeof(size), 1, stdout);
	g_byte_array_free(body, TRUE);
}

static void capture_begin(void)
{
	g_autofree char *bus = bus_name();
	static const char program[] = "kdbusctl";
	const guint8 nanoseconds = 9;
	GByteArray *out = g_byte_array_new();

	put_u32(out, 0x1a2b3c4d);	/* tells the byte order */
	put_u16(out, 1);
	put_u16(out, 0);
	put_u64(out, UINT64_MAX);	/* nobody knows how long it gets */
	put_option(out, OPTION_USERAPPL, program, strlen(program));
	put_u32(out, OPTION_END);
	block_write(BLOCK_SECTION, out);

	out = g_byte_array_new();
	put_u16(out, LINKTYPE_DBUS);
	put_u16(out, 0);
	put_u32(out, 0);		/* nothing is cut */
	if (bus)
		put_option(out, OPTION_IF_NAME, bus, strlen(bus));
	put_option(out, OPTION_TSRESOL, &nanoseconds, 1);
	put_u32(out, OPTION_END);
	block_write(BLOCK_INTERFACE, out);
}

/* What kdbus knows and D-Bus has no place for */
static char *capture_comment(const struct seen *seen)
{
	const struct kdb_meta *meta = seen->meta;
	GString *text = g_string_new(NULL);

	if (seen->notice)
		g_string_append(text, "notification of the kernel");
	else if (meta->creds)
		g_string_append_printf(text, "uid %" PRIu64 ", pid %" PRIu64,
				       (uint64_t)meta->creds->uid,
				       (uint64_t)meta->creds->pid);
	else
		g_string_append(text, "sender in other namespaces");
	if (meta->pid_comm) {
		g_autofree char *comm = text_escape(meta->pid_comm,
						    strlen(meta->pid_comm));

		g_string_append_printf(text, " (%s)", comm);
	}
	if (seen->why)
		g_string_append_printf(text, "; not converted: %s", seen->why);
	return g_string_free(text, FALSE);
}

/* What cannot be converted is in a signal that says so. */
static GByteArray *capture_foreign(const struct seen *seen)
{
	size_t size = kdb_view_size(seen->view);
	g_autofree guint8 *data = g_try_malloc(size);
	GByteArray *message;
	struct wire wire = {
		.type		= WIRE_SIGNAL,
		.flags		= WIRE_NO_REPLY,
		.cookie		= kdb_view_header(seen->view)->cookie ?: 1,
		.path		= "/org/kdbus",
		.interface	= "org.kdbus.Foreign",
		.member		= "Payload",
		.sender		= seen->wire.sender,
		.destination	= seen->wire.destination,
		.signature	= "say",
	};
	GVariant *bytes;

	if (!data || kdb_view_copy(seen->view, data, size) < 0)
		size = 0;
	bytes = g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, data, size, 1);
	wire.body = g_variant_ref_sink(g_variant_new("(s@ay)", seen->why,
						     bytes));
	message = classic_message(&wire);
	g_variant_unref(wire.body);
	return message;
}

static void capture_show(const struct seen *seen, void *arg)
{
	g_autofree char *comment = capture_comment(seen);
	GByteArray *message = seen->why ? capture_foreign(seen) :
					  classic_message(&seen->wire);
	GByteArray *out = g_byte_array_sized_new(message->len + 128);

	(void)arg;
	put_u32(out, 0);		/* the only interface */
	put_time(out, seen->realtime);
	put_u32(out, message->len);
	put_u32(out, message->len);
	put_padded(out, message->data, message->len);
	put_option(out, OPTION_COMMENT, comment, strlen(comment));
	put_u32(out, OPTION_END);
	block_write(BLOCK_PACKET, out);
	g_byte_array_free(message, TRUE);
}

static void capture_flush(void *arg)
{
	(void)arg;
	fflush(stdout);
}

static void capture_end(const struct watch *watch, uint64_t start)
{
	GByteArray *out = g_byte_array_new();
	uint64_t end = now_realtime();

	put_u32(out, 0);
	put_time(out, end);
	put_option_time(out, OPTION_START_TIME, start);
	put_option_time(out, OPTION_END_TIME, end);
	put_option_u64(out, OPTION_RECEIVED, watch->shown + watch->lost);
	put_option_u64(out, OPTION_DROPPED, watch->lost);
	put_u32(out, OPTION_END);
	block_write(BLOCK_STATISTICS, out);
}

/* [NAME]... */
int verb_capture(int argc, char **argv)
{
	struct watch watch = {
		.begin	= capture_begin,
		.show	= capture_show,
		.flush	= capture_flush,
	};
	uint64_t start = now_realtime();
	int r;

	if (isatty(STDOUT_FILENO))
		return usage("capture: stdout is a terminal; it needs a file");
	r = watch_run(&watch, argc, argv);
	if (watch.begun)
		capture_end(&watch, start);
	return r;
}
