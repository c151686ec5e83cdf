/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KDBUS_VERSION_H
#define KDBUS_VERSION_H

/* The only place that has it; tools/packaging/version prints it. */
#define KDBUS_VERSION	"1.0.0"

#endif
