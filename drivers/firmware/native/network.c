/* The electronics of the native port: integer sums that the emulated board in Python works out to
 * the same codes (drivers/emulated/shboard_toy.py), so that replies can be compared. */
#include "network.h"

#include "../shb_config.h"
#include "../shb_hal.h"

#define FULL 32767
#define COMPLIANCE_CODE 30000

int32_t network_opens_after = -1;

static int32_t weights[SHB_DEVICES], inputs[SHB_INPUTS], nudges[SHB_OUTPUTS];
static int32_t held[2][SHB_NODES];
static int8_t votes[SHB_DEVICES];
static bool nudging, powered, floats, cut_off[SHB_NODES];

static void power_up(void)
{
    uint32_t d;

    for (d = 0; d < SHB_DEVICES && !powered; d++)
        weights[d] = 64;
    powered = true;
}

static int64_t size_of(int64_t value) { return value < 0 ? -value : value; }

void hal_safe(void)
{
    uint16_t i;

    power_up();
    nudging = floats = false;
    for (i = 0; i < SHB_INPUTS; i++)
        inputs[i] = 0;
    for (i = 0; i < SHB_NODES; i++)
        cut_off[i] = true;
}

void hal_isolate(uint16_t node, bool isolated) { cut_off[node] = isolated; }
void hal_float_lines(bool floating) { floats = floating; }
void hal_track(uint8_t bank) { (void)bank; }

void hal_inputs(const int16_t *codes)
{
    uint16_t i;

    for (i = 0; i < SHB_INPUTS; i++)
        inputs[i] = codes[i];
}

void hal_nudges(const int16_t *codes)
{
    uint16_t i;

    nudging = codes != NULL;
    for (i = 0; nudging && i < SHB_OUTPUTS; i++)
        nudges[i] = codes[i];
}

/* Weighted sums; the last nodes are outputs. Bank B stands 1 code higher, so that roles show;
 * isolated nodes stand at 0, and all do while lines float. */
uint16_t hal_hold(uint8_t bank)
{
    uint16_t i, k, status = 0;

    if (network_opens_after > 0)
        network_opens_after--;
    for (k = 0; k < SHB_NODES; k++) {
        int64_t sum = 0;
        int32_t value;
        for (i = 0; i < SHB_INPUTS; i++)
            sum += (int64_t)inputs[i] * weights[i * SHB_NODES + k];
        value = (int32_t)(sum / 256);
        if (nudging && k >= SHB_NODES - SHB_OUTPUTS) {
            value += nudges[k - (SHB_NODES - SHB_OUTPUTS)] / 4;
            if (size_of(value) > COMPLIANCE_CODE)
                status = SHB_COMPLIANCE;
        }
        held[bank][k] = (cut_off[k] || floats ? 0 : value) + bank;
    }
    return status;
}

uint16_t hal_read(uint8_t bank, int16_t *codes)
{
    uint16_t k, status = 0;

    for (k = 0; k < SHB_NODES; k++) {
        int32_t value = held[bank][k];
        if (size_of(value) > FULL) {
            value = value < 0 ? -FULL : FULL;
            status = SHB_RANGE;
        }
        codes[k] = (int16_t)value;
    }
    return status;
}

void hal_compare(uint8_t first_bank, int16_t dead_zone)
{
    uint32_t d;

    for (d = 0; d < SHB_DEVICES; d++) {
        int64_t input = inputs[d / SHB_NODES];
        int64_t rise = size_of(input - held[1 - first_bank][d % SHB_NODES]) -
                       size_of(input - held[first_bank][d % SHB_NODES]);
        votes[d] = (int8_t)((rise > dead_zone) - (rise < -(int64_t)dead_zone));
    }
}

int8_t hal_vote(uint32_t device) { return votes[device]; }

/* A pulse changes a weight by 1, between 0 and 255, if no node leads the current away. */
void hal_pulse(uint16_t array, uint16_t row, uint16_t column, int8_t sign,
               const struct shb_programming *how)
{
    int32_t *weight = &weights[row * SHB_NODES + column];
    bool alone = !floats;
    uint16_t k;

    (void)array, (void)how;
    for (k = 0; k < SHB_NODES; k++)
        alone = alone && cut_off[k];
    if (!alone)
        sign = 0;
    if ((sign > 0 && *weight < 255) || (sign < 0 && *weight > 0))
        *weight += sign;
    if (network_opens_after > 0)
        network_opens_after--;
}
