/* Runs: phases of a whole batch in one exchange (SPECIFICATION.md, 8). */
#include "shb_run.h"

static struct shb_plan plan;
static int16_t nudges[SHB_OUTPUTS], codes[SHB_NODES];
#if SHB_COMPARATORS
static int16_t votes[SHB_DEVICES];
#endif

static void keep_inputs(void)
{
    uint16_t b, i;

    for (b = 0; b < plan.n; b++)
        for (i = 0; i < SHB_INPUTS; i++)
            shb.kept[b][i] = shb_i16(plan.table + b * plan.width + 2u * i);
    shb.kept_rows = plan.n;
    shb.kept_tag = plan.tag;
}

static void put_codes(void)
{
    uint16_t i;

    for (i = 0; i < SHB_NODES; i++)
        shb_put_i16(codes[i]);
}

/* Readings of one example, for its record is sent after its status is known. */
static int16_t readings[SHB_MAX_PHASES][SHB_NODES];
static uint8_t waiting[SHB_MAX_PHASES], waiting_bank[SHB_MAX_PHASES], n_waiting;

/* Convert what waits, in order of the phases. */
static uint16_t read_waiting(void)
{
    uint16_t status = 0;
    uint8_t i;

    for (i = 0; i < n_waiting; i++)
        status |= hal_read(waiting_bank[i], readings[waiting[i]]);
    n_waiting = 0;
    return status;
}

static bool waits(uint8_t bank)
{
    uint8_t i;

    for (i = 0; i < n_waiting; i++)
        if (waiting_bank[i] == bank)
            return true;
    return false;
}

static void drive(const struct shb_phase *phase, const uint8_t *sets)
{
    const uint8_t *set;
    uint16_t i;

    if (!phase->number) {
        hal_nudges(NULL);
        return;
    }
    set = sets + 2u * (phase->number - 1u) * SHB_OUTPUTS;
    for (i = 0; i < SHB_OUTPUTS; i++) {
        int16_t code = shb_i16(set + 2u * i);
        nudges[i] = phase->minus ? (int16_t)-code : code;
    }
    hal_nudges(nudges);
}

static void vote(uint8_t first_bank)
{
#if SHB_COMPARATORS
    uint32_t d;

    hal_compare(first_bank, shb.dead_zone);
    for (d = 0; d < SHB_DEVICES; d++)
        votes[d] = (int16_t)(votes[d] + hal_vote(d));
#else
    (void)first_bank;
#endif
}

/* All phases of one example; its status. */
static uint16_t run_example(uint16_t b)
{
    const uint8_t *row = plan.table + b * plan.width;
    uint16_t status = 0;
    uint8_t p, done = 0;

    hal_inputs(shb.kept[plan.keep ? shb_u16(row) : b]);
    for (p = 0; p < plan.count; p++) {
        const struct shb_phase *phase = &plan.phases[p];

        if (!hal_interlock_closed())
            return SHB_ABORTED;
        if (waits(phase->bank))
            status |= read_waiting();
        drive(phase, row + 2u * (plan.keep ? 1u : SHB_INPUTS));
        hal_wait_us(shb.settle_us);
        hal_track(phase->bank);
        hal_wait_us(shb.acquire_us);
        status |= hal_hold(phase->bank);
        if (phase->compare && status == 0)
            vote((uint8_t)(1 - phase->bank));
        if (phase->read) {
            waiting_bank[n_waiting] = phase->bank;
            waiting[n_waiting++] = done++;
        }
    }
    return (uint16_t)(status | read_waiting());
}

static void send_example(uint16_t status)
{
    uint16_t i;
    uint8_t r;

    shb_put_i16((int16_t)status);
    for (r = 0; r < plan.reads; r++) {
        for (i = 0; i < SHB_NODES; i++)
            codes[i] = status & SHB_ABORTED ? 0 : readings[r][i];
        put_codes();
    }
}

static void begin_reply(int code, uint32_t body_bytes, uint16_t tag, uint16_t n, uint16_t n_votes)
{
    shb_begin_reply();
    shb_begin_block(body_bytes);
    shb_put_i16((int16_t)code);
    shb_put_i16((int16_t)tag);
    shb_put_i16((int16_t)n);
    shb_put_i16((int16_t)n_votes);
}

void shb_refuse_run(int code)
{
    begin_reply(code, 8, 0, 0, 0);
    shb_end_block();
}

static int execute(void)
{
    uint32_t size = 8 + (uint32_t)plan.n * 2u * (1u + (uint32_t)plan.reads * SHB_NODES);
    uint32_t d;
    uint16_t b, status = 0;

    if (plan.compares)
        size += 2u * SHB_DEVICES;
    begin_reply(0, size, plan.tag, plan.n, plan.compares);
#if SHB_COMPARATORS
    for (d = 0; d < SHB_DEVICES; d++)
        votes[d] = 0;
#endif
    n_waiting = 0;
    for (b = 0; b < plan.n; b++) {
        status = status & SHB_ABORTED ? SHB_ABORTED : run_example(b);
        send_example(status);
    }
    shb_idle();
#if SHB_COMPARATORS
    for (d = 0; plan.compares && d < SHB_DEVICES; d++)
        shb_put_i16(votes[d]);
#else
    (void)d;
#endif
    shb_end_block();
    return status & SHB_ABORTED ? 110 : 0;
}

int shb_run(const struct shb_unit *unit)
{
    int code = shb_plan_run(unit, &plan);

    if (code)
        return code;
    if (!plan.keep)
        keep_inputs();
    return execute();
}
