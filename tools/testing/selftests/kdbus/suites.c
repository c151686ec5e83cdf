// SPDX-License-Identifier: GPL-2.0-only
/* The files with tests, in the order in which they run */

#include "suites.h"

void (*const kt_suites[])(void) = {
	suite_node,
	suite_handle,
	suite_cmd,
	suite_item,
	suite_make,
	suite_hello,
	suite_byebye,
	suite_pool,
	suite_mmap,
	suite_send,
	suite_layout,
	suite_quota,
	suite_share,
	suite_policy,
	suite_memfd,
	suite_recv,
	suite_poll,
	suite_teardown,
	suite_race,
	suite_flip,
	suite_traffic,
	suite_slow,
	suite_memcg,
	suite_reply,
	suite_sync,
	suite_names,
	suite_match,
	suite_bloom,
	suite_rule,
	suite_broadcast,
	suite_notify,
	suite_monitor,
	suite_domain,
	suite_fds,
	suite_priority,
	suite_order,
	suite_name_list,
	suite_activator,
	suite_race2,
};

const size_t kt_n_suites = sizeof(kt_suites) / sizeof(kt_suites[0]);
