/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everybody against everybody: subjects on both kinds of endpoints, some of
 * which own names. What the driver decides is compared with the model.
 */
#ifndef KDBUS_TEST_POLICY_COMPARE_H
#define KDBUS_TEST_POLICY_COMPARE_H

#include "policy-model.h"

#define OWNER	20260
#define A	20261
#define B	20262
#define GA	20361
#define GB	20362

/* peers: each subject on the default endpoint, then each on the custom one */
#define N_SUBJECTS	9
#define N		(2 * N_SUBJECTS)
#define NOBODY		-1
#define ALL		-1

extern struct m_db bus_db, ep_db;	/* what upload() uploads */
extern unsigned int decisions;		/* that were compared */
/* which third of the peers without names takes part, or ALL */
extern int third;

void grant(struct m_entry *e, int type, int level, unsigned int id);
void open_db(struct m_db *db);		/* everybody may everything */
void upload(void);
void peers_open(void);
/* @owners: of each name, a peer or NOBODY; leaves both databases open */
void place_names(const int *owners);

void compare_own(void);
void compare_talk(void);
void compare_cast(void);
void compare_see(void);

#endif /* KDBUS_TEST_POLICY_COMPARE_H */
