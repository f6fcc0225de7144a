/* Programming pulses: numbered, checked, applied once (SPECIFICATION.md, 9). */
#include "shb_internal.h"

#define LAST_SEQUENCE 0x7FFFFFFFu

/* A count as two's complement in one byte. */
static int16_t count_of(uint8_t byte) { return (int16_t)(byte < 0x80 ? byte : byte - 0x100); }

static uint16_t size_of(uint8_t byte)
{
    int16_t count = count_of(byte);

    return (uint16_t)(count < 0 ? -count : count);
}

static const uint16_t n_arrays = SHB_N_ARRAYS;

/* Where a device sits. */
static void locate(uint32_t device, uint16_t *which, uint16_t *row, uint16_t *column)
{
    uint16_t rows, columns;
    uint32_t first;

    for (*which = 0; *which + 1 < n_arrays; (*which)++) {
        first = shb_array((uint16_t)(*which + 1), &rows, &columns);
        if (device < first)
            break;
    }
    first = shb_array(*which, &rows, &columns);
    *row = (uint16_t)((device - first) / columns);
    *column = (uint16_t)((device - first) % columns);
}

static void pulse_devices(uint32_t first, const uint8_t *counts, uint32_t n)
{
    uint16_t which, row, column, left;
    uint32_t i;

    for (i = 0; i < n; i++) {
        left = size_of(counts[i]);
        if (!left)
            continue;
        locate(first + i, &which, &row, &column);
        for (; left; left--) {
            if (!hal_interlock_closed())
                return;
            hal_pulse(which, row, column, count_of(counts[i]) > 0 ? 1 : -1, &shb.programming);
            shb.applied++;
        }
    }
}

static int check(uint32_t sequence, const uint8_t *counts, uint32_t n)
{
    const struct shb_programming *how = &shb.programming;
    uint32_t i;
    int code = shb_check_armed();

    if (code)
        return code;
    if (sequence != shb.sequence + 1 || sequence > LAST_SEQUENCE)
        return 106;
    for (i = 0; i < n; i++)
        if (size_of(counts[i]) > shb.limits.pulses)
            return 105;
    if (!how->level[0] || !how->level[1])
        return -221;
    if (how->scheme == SHB_GATE && (!how->gate[0] || !how->gate[1]))
        return -221;
    return 0;
}

static int apply(uint32_t sequence, uint32_t first, const uint8_t *counts, uint32_t n)
{
    uint32_t i, total = 0;
    uint16_t node;
    int code = check(sequence, counts, n);

    if (code)
        return code;
    for (i = 0; i < n; i++)
        total += size_of(counts[i]);
    /* On record before the first pulse: whatever happens next, the number is used up. */
    shb.sequence = sequence;
    shb.requested = total;
    shb.applied = 0;
    shb_idle();
    for (node = 0; node < SHB_NODES; node++)
        hal_isolate(node, true);
    hal_float_lines(false);
    pulse_devices(first, counts, n);
    shb_switch();
    return shb.applied < shb.requested ? 110 : 0;
}

int shb_pulse_execute(const struct shb_unit *unit)
{
    const uint8_t *body, *counts;
    uint32_t size, first, n, i, total = 0;
    int code = shb_body(&unit->parameters[0], &body, &size);

    if (code)
        return code;
    if (size < 13)
        return -222;
    first = shb_u32(body + 4);
    counts = body + 12;
    n = size - 12;
    if (first > SHB_DEVICES || n > SHB_DEVICES - first)
        return -222;
    for (i = 0; i < n; i++) {
        if (counts[i] == 0x80)
            return -222;
        total += size_of(counts[i]);
    }
    if (total != shb_u32(body + 8))
        return -230;
    return apply(shb_u32(body), first, counts, n);
}

int shb_pulse_device(const struct shb_unit *unit)
{
    int32_t sequence, device, count;
    uint8_t byte;
    int code = shb_whole(&unit->parameters[0], 1, (int32_t)LAST_SEQUENCE, &sequence);

    if (!code)
        code = shb_whole(&unit->parameters[1], 0, SHB_DEVICES - 1, &device);
    if (!code)
        code = shb_whole(&unit->parameters[2], -127, 127, &count);
    if (code)
        return code;
    byte = (uint8_t)(count & 0xFF);
    return apply((uint32_t)sequence, (uint32_t)device, &byte, 1);
}

/* The reply to both: error, sequence number last accepted, pulses applied then. */
void shb_pulse_outcome(int code)
{
    int32_t values[3];

    values[0] = code;
    values[1] = (int32_t)shb.sequence;
    values[2] = (int32_t)shb.applied;
    shb_begin_reply();
    shb_put_numbers(values, 3);
}
