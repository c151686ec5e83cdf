// SPDX-License-Identifier: GPL-2.0
/*
 * ctl-service - peers for the tests of kdbusctl
 *
 *   ctl-service NODE serve NAME	a service that owns NAME
 *   ctl-service NODE hold NAME [FLAGS]	owns NAME, or waits for it
 *   ctl-service NODE activate NAME	an activator for NAME
 *
 * Each prints its id when it is there, and ends when it is killed. The service
 * has objects / and /com/example/Calc. Interface com.example.Calc1:
 *
 *   Echo	answers its arguments
 *   Add	ii, answers their sum
 *   Fail	answers an error
 *   Silent	answers nothing
 *   Raw	answers bytes that are not of D-Bus
 *   Broken	answers a message whose body is malformed
 *   Unpadded	answers a(ty) as sd-bus of systemd 217 writes it
 *   Notes	answers how many descriptors came, and what is in the first
 *   Shout	broadcasts the signal Shouted with its arguments
 *   Flood	u, broadcasts the signal Flooded so many times
 *
 * and properties Count (u, read only) and Label (s).
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bloom.h"
#include "wire.h"

#define IFACE		"com.example.Calc1"
#define PROPERTIES	"org.freedesktop.DBus.Properties"
#define ERROR		"com.example.Error."

struct ctl_options ctl;

static char *label;
static struct wire answer;	/* is read when the handler has returned */

static const char xml_root[] =
"<node><node name=\"com\"/></node>";
static const char xml_com[] =
"<node><node name=\"example\"/></node>";
static const char xml_example[] =
"<node><node name=\"Calc\"/></node>";
static const char xml_calc[] =
"<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
"\"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"
"<node>\n"
" <interface name=\"" IFACE "\">\n"
"  <method name=\"Add\">\n"
"   <arg name=\"a\" type=\"i\" direction=\"in\"/>\n"
"   <arg name=\"b\" type=\"i\"/>\n"
"   <arg name=\"sum\" type=\"i\" direction=\"out\"/>\n"
"   <annotation name=\"org.freedesktop.DBus.Deprecated\" value=\"true\"/>\n"
"  </method>\n"
"  <method name=\"Fail\"/>\n"
"  <signal name=\"Shouted\"><arg type=\"s\"/></signal>\n"
"  <property name=\"Count\" type=\"u\" access=\"read\"/>\n"
"  <property name=\"Label\" type=\"s\" access=\"readwrite\">\n"
"   <annotation name=\"org.freedesktop.DBus.Property.EmitsChangedSignal\"\n"
"    value=\"false\"/>\n"
"  </property>\n"
" </interface>\n"
"</node>\n";

static int must(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
	return r;
}

/* What is put into answer is sent when the handler has returned KDB_REPLY. */
static int say(struct kdb_msg *reply, const struct wire *call, GVariant *body)
{
	answer.reply_cookie = call->cookie;
	answer.flags = WIRE_NO_REPLY;
	if (!answer.type)
		answer.type = WIRE_RETURN;
	if (body) {
		const char *type = g_variant_get_type_string(body);
		static char signature[256];

		answer.body = g_variant_ref_sink(body);
		g_snprintf(signature, sizeof(signature), "%.*s",
			   (int)strlen(type) - 2, type + 1);
		answer.signature = signature;
	}
	must(wire_put(reply, &answer), "answer");
	return KDB_REPLY;
}

static int say_error(struct kdb_msg *reply, const struct wire *call,
		     const char *name, const char *text)
{
	answer.type = WIRE_ERROR;
	answer.error_name = name;
	return say(reply, call, g_variant_new("(s)", text));
}

static int say_raw(struct kdb_msg *reply)
{
	static const char bytes[] = "\001raw \033[31mbytes";

	must(kdb_msg_put(reply, bytes, sizeof(bytes)), "answer");
	return KDB_REPLY;
}

/* A string without its end */
static int say_broken(struct kdb_msg *reply, const struct wire *call)
{
	GVariant *body = g_variant_new("(s)", "xy");
	guint8 *bytes;

	say(reply, call, body);
	bytes = (guint8 *)g_variant_get_data(answer.body);
	bytes[2] = 'z';
	return KDB_REPLY;
}

/* (5, 3), (6, 4) with 9 bytes for the last one */
static int say_unpadded(struct kdb_conn *conn, struct kdb_msg *reply,
			const struct wire *call)
{
	GVariant *body = g_variant_new_parsed("([(@t 5, @y 3), (6, 4)],)");
	guint32 size = 25;

	say(reply, call, body);
	kdb_msg_reset(reply);
	memcpy(answer.head->data + 4, &size, sizeof(size));
	must(kdb_msg_set_type(reply, KDBUS_PAYLOAD_DBUS), "type");
	must(kdb_msg_set_cookie(reply, answer.cookie), "cookie");
	must(kdb_msg_put(reply, answer.head->data, answer.head->len), "head");
	must(kdb_msg_put(reply, g_variant_get_data(answer.body), size), "body");
	(void)conn;
	return KDB_REPLY;
}

static int say_notes(struct kdb_view *view, struct kdb_msg *reply,
		     const struct wire *call)
{
	char text[64] = "";
	ssize_t n = 0;

	if (kdb_view_fds(view))
		n = pread(kdb_view_fd(view, 0), text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	return say(reply, call, g_variant_new("(us)", kdb_view_fds(view),
					      text));
}

static void broadcast(struct kdb_conn *conn, const struct wire *call,
		      const char *member)
{
	struct wire signal = {
		.type		= WIRE_SIGNAL,
		.flags		= WIRE_NO_REPLY,
		.cookie		= kdb_cookie(conn),
		.path		= call->path,
		.interface	= IFACE,
		.member		= member,
		.signature	= call->signature,
		.body		= call->body ? g_variant_ref(call->body) : NULL,
	};
	struct kdb_msg *msg;

	must(kdb_msg_new(conn, &msg), "message");
	must(kdb_msg_to_all(msg), "broadcast");
	must(bloom_tell(msg, &signal), "filter");
	must(wire_put(msg, &signal), "signal");
	must(kdb_send(msg), "signal");
	kdb_msg_free(msg);
	wire_clear(&signal);
}

static int shout(struct kdb_conn *conn, struct kdb_msg *reply,
		 const struct wire *call)
{
	broadcast(conn, call, "Shouted");
	return say(reply, call, NULL);
}

static int flood(struct kdb_conn *conn, struct kdb_msg *reply,
		 const struct wire *call)
{
	guint32 n;

	g_variant_get(call->body, "(u)", &n);
	while (n--)
		broadcast(conn, call, "Flooded");
	return say(reply, call, NULL);
}

static int introspect(struct kdb_msg *reply, const struct wire *call)
{
	const char *xml = NULL;

	if (strcmp(call->path, "/") == 0)
		xml = xml_root;
	else if (strcmp(call->path, "/com") == 0)
		xml = xml_com;
	else if (strcmp(call->path, "/com/example") == 0)
		xml = xml_example;
	else if (strcmp(call->path, "/com/example/Calc") == 0)
		xml = xml_calc;
	if (!xml)
		return say_error(reply, call,
				 "org.freedesktop.DBus.Error.UnknownObject",
				 "There is no such object");
	return say(reply, call, g_variant_new("(s)", xml));
}

static int property_get(struct kdb_msg *reply, const struct wire *call)
{
	const char *iface, *name;

	g_variant_get(call->body, "(&s&s)", &iface, &name);
	if (strcmp(name, "Count") == 0)
		return say(reply, call, g_variant_new("(v)",
						      g_variant_new("u", 42)));
	if (strcmp(name, "Label") == 0)
		return say(reply, call, g_variant_new_parsed("(<%s>,)", label));
	return say_error(reply, call, ERROR "NoProperty", "No such property");
}

static int property_set(struct kdb_msg *reply, const struct wire *call)
{
	const char *iface, *name;
	GVariant *value;

	g_variant_get(call->body, "(&s&sv)", &iface, &name, &value);
	if (strcmp(name, "Label") != 0 ||
	    !g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
		g_variant_unref(value);
		return say_error(reply, call, ERROR "NotWritable",
				 "It cannot be written");
	}
	g_free(label);
	label = g_variant_dup_string(value, NULL);
	g_variant_unref(value);
	return say(reply, call, NULL);
}

static int property_all(struct kdb_msg *reply, const struct wire *call)
{
	static const char format[] = "({'Count': <@u 42>, 'Label': <%s>},)";

	return say(reply, call, g_variant_new_parsed(format, label));
}

static int properties(struct kdb_msg *reply, const struct wire *call)
{
	if (strcmp(call->member, "Get") == 0)
		return property_get(reply, call);
	if (strcmp(call->member, "Set") == 0)
		return property_set(reply, call);
	return property_all(reply, call);
}

static int calc(struct kdb_conn *conn, struct kdb_view *view,
		struct kdb_msg *reply, const struct wire *call)
{
	const char *member = call->member;
	gint32 a, b;

	if (strcmp(member, "Echo") == 0)
		return say(reply, call, call->body);
	if (strcmp(member, "Add") == 0) {
		g_variant_get(call->body, "(ii)", &a, &b);
		return say(reply, call, g_variant_new("(i)", a + b));
	}
	if (strcmp(member, "Fail") == 0)
		return say_error(reply, call, ERROR "Sorry", "It has failed");
	if (strcmp(member, "Silent") == 0)
		return KDB_HOLD;
	if (strcmp(member, "Raw") == 0)
		return say_raw(reply);
	if (strcmp(member, "Broken") == 0)
		return say_broken(reply, call);
	if (strcmp(member, "Unpadded") == 0)
		return say_unpadded(conn, reply, call);
	if (strcmp(member, "Notes") == 0)
		return say_notes(view, reply, call);
	if (strcmp(member, "Shout") == 0)
		return shout(conn, reply, call);
	if (strcmp(member, "Flood") == 0)
		return flood(conn, reply, call);
	return say_error(reply, call,
			 "org.freedesktop.DBus.Error.UnknownMethod",
			 "There is no such method");
}

static int serve(struct kdb_conn *conn, struct kdb_view *view,
		 struct kdb_msg *reply, void *arg)
{
	const char *why, *iface;
	struct wire call;
	int r = KDB_DONE;

	(void)arg;
	why = wire_read(&call, view);
	if (why || call.type != WIRE_CALL) {
		wire_clear(&call);
		return KDB_DONE;
	}
	wire_clear(&answer);
	answer.cookie = kdb_cookie(conn);
	iface = call.interface ?: IFACE;
	if (strcmp(iface, PROPERTIES) == 0)
		r = properties(reply, &call);
	else if (strcmp(iface, IFACE) == 0)
		r = calc(conn, view, reply, &call);
	else if (strcmp(call.member, "Introspect") == 0)
		r = introspect(reply, &call);
	else
		r = say_error(reply, &call, ERROR "NoInterface", iface);
	wire_clear(&call);
	return r;
}

int main(int argc, char **argv)
{
	const struct kdb_options options = {
		.size	= sizeof(options),
		.flags	= KDB_OPEN_FDS,
		.name	= "ctl-service",
	};
	const struct kdb_options activator = {
		.size	= sizeof(activator),
		.flags	= KDB_OPEN_ACTIVATOR,
		.holds	= argc > 3 ? argv[3] : NULL,
	};
	struct kdb_conn *conn;

	if (argc < 4)
		errx(2, "usage: ctl-service NODE serve|hold|activate NAME");
	label = g_strdup("first");
	if (strcmp(argv[2], "activate") == 0) {
		must(kdb_open_path(&conn, argv[1], &activator), argv[1]);
	} else {
		must(kdb_open_path(&conn, argv[1], &options), argv[1]);
		must(kdb_name_acquire(conn, argv[3], argc > 4 ?
				      strtoull(argv[4], NULL, 0) : 0), argv[3]);
	}
	printf("%llu\n", (unsigned long long)kdb_id(conn));
	fflush(stdout);
	if (strcmp(argv[2], "serve") != 0)
		return pause();
	kdb_set_handler(conn, serve, NULL);
	return must(kdb_serve(conn), "serve");
}
