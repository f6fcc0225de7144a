/* A run as it was asked for. */
#ifndef SHB_RUN_H
#define SHB_RUN_H

#include "shb_internal.h"

struct shb_phase {
    uint8_t bank, number; /* of its nudge set; 0: sources open */
    bool minus, read, compare;
};

struct shb_plan {
    struct shb_phase phases[SHB_MAX_PHASES];
    uint8_t count, sets, reads;
    bool keep, compares;
    const uint8_t *table; /* what was sent of each example */
    uint32_t width;       /* in bytes, of one example */
    uint16_t tag, n;
};

/* Take a unit apart and check all of it. */
int shb_plan_run(const struct shb_unit *unit, struct shb_plan *plan);

#endif
