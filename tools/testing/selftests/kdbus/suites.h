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
void suite_share(void);
void suite_policy(void);
void suite_memfd(void);
void suite_recv(void);
void suite_poll(void);
void suite_teardown(void);
void suite_race(void);
void suite_flip(void);
void suite_traffic(void);
void suite_slow(void);
void suite_memcg(void);
void suite_reply(void);
void suite_sync(void);
void suite_names(void);
void suite_name_list(void);
void suite_activator(void);
void suite_meta_cost(void);
void suite_label(void);
void suite_cgroup(void);
void suite_policy_db(void);
void suite_policy_upload(void);
void suite_endpoint(void);
void suite_ep_handle(void);
void suite_ep_death(void);
void suite_ep_policy(void);
void suite_ep_see(void);
void suite_holder(void);
void suite_holder_update(void);
void suite_policy_model(void);
void suite_policy_race(void);
void suite_sd_node(void);
void suite_sd_bus(void);
void suite_sd_match(void);
void suite_sd_note(void);
void suite_sd_call(void);
void suite_sd_error(void);
void suite_sd_fds(void);
void suite_sd_name(void);
void suite_sd_creds(void);
void suite_sd_pid1(void);
void suite_sd_policy(void);
void suite_sd_monitor(void);
void suite_sd_proxy(void);
void suite_race2(void);
void suite_match(void);
void suite_bloom(void);
void suite_rule(void);
void suite_broadcast(void);
void suite_notify(void);
void suite_monitor(void);
void suite_domain(void);
void suite_fds(void);
void suite_priority(void);
void suite_order(void);

extern void (*const kt_suites[])(void);
extern const size_t kt_n_suites;

#endif /* KDBUS_TEST_SUITES_H */
