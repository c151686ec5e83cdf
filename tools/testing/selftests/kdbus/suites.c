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
	suite_policy,
	suite_memfd,
	suite_recv,
	suite_poll,
	suite_teardown,
	suite_race,
	suite_slow,
	suite_memcg,
};

const size_t kt_n_suites = sizeof(kt_suites) / sizeof(kt_suites[0]);
