// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/init.h>
#include <linux/module.h>

#include "chardev.h"
#include "conn.h"
#include "domain.h"
#include "handle.h"
#include "match.h"
#include "meta.h"
#include "node.h"
#include "pool/pages.h"
#include "pool/pool.h"
#include "queue.h"
#include "version.h"

static struct kdbus_domain *kdbus_initial_domain;

static int __init kdbus_init(void)
{
	int r;

	r = kdbus_ptab_module_init();
	if (r < 0)
		return r;
	r = kdbus_pool_module_init();
	if (r < 0)
		goto err_frames;
	r = kdbus_queue_module_init();
	if (r < 0)
		goto err_pool;
	r = kdbus_conn_module_init();
	if (r < 0)
		goto err_entry;
	r = kdbus_match_module_init();
	if (r < 0)
		goto err_conn;
	r = kdbus_meta_module_init();
	if (r < 0)
		goto err_match;
	r = kdbus_chardev_init(&kdbus_ioctl_fops);
	if (r < 0)
		goto err_meta;

	kdbus_node_set_front_door(&kdbus_chardev_door);
	kdbus_initial_domain = kdbus_domain_new_initial();
	if (IS_ERR(kdbus_initial_domain)) {
		r = PTR_ERR(kdbus_initial_domain);
		goto err_chardev;
	}

	return 0;

err_chardev:
	kdbus_chardev_exit();
err_meta:
	kdbus_meta_module_exit();
err_match:
	kdbus_match_module_exit();
err_conn:
	kdbus_conn_module_exit();
err_entry:
	kdbus_queue_module_exit();
err_pool:
	kdbus_pool_module_exit();
err_frames:
	kdbus_ptab_module_exit();
	return r;
}

static void __exit kdbus_exit(void)
{
	kdbus_node_kill(&kdbus_initial_domain->node);
	kdbus_node_put(&kdbus_initial_domain->node);
	kdbus_chardev_exit();
	kdbus_meta_module_exit();
	kdbus_match_module_exit();
	kdbus_conn_module_exit();
	kdbus_queue_module_exit();
	kdbus_pool_module_exit();
	kdbus_ptab_module_exit();
}

module_init(kdbus_init);
module_exit(kdbus_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A message bus in the kernel");
MODULE_VERSION(KDBUS_VERSION);
