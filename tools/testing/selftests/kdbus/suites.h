/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KDBUS_TEST_SUITES_H
#define KDBUS_TEST_SUITES_H

#include <stddef.h>

void suite_node(void);
void suite_handle(void);
void suite_cmd(void);
void suite_item(void);
void suite_make(void);
void suite_hello(void);
void suite_byebye(void);
void suite_pool(void);
void suite_mmap(void);
void suite_send(void);
void suite_layout(void);
void suite_quota(void);
void suite_policy(void);
void suite_memfd(void);
void suite_recv(void);
void suite_poll(void);
void suite_teardown(void);
void suite_race(void);
void suite_slow(void);
void suite_memcg(void);

extern void (*const kt_suites[])(void);
extern const size_t kt_n_suites;

#endif /* KDBUS_TEST_SUITES_H */
