/* Framing, the dead-man timer, and what the board keeps (SPECIFICATION.md, 3, 6). */
#include "shb_internal.h"

enum inside { IN_TEXT, IN_COUNT, IN_LENGTH, IN_BLOCK, IN_NOISE };

struct shb_state shb;

static uint8_t rx[SHB_MESSAGE_BYTES];
static uint32_t rx_size, rx_left, rx_last_ms;
static uint8_t rx_digits;
static enum inside inside;

void shb_init(void)
{
    shb.sequence = shb.requested = shb.applied = 0;
    shb_reset();
    rx_size = 0;
    inside = IN_TEXT;
    shb.heard_ms = rx_last_ms = hal_now_ms();
}

/* *RST: safe, and every setting as at power-up; errors and pulse sequence stay. */
void shb_reset(void)
{
    static const struct shb_limits none;
    static const struct shb_programming programming = {SHB_HALF, {0, 0}, {0, 0}, 10};

    shb.limits = none;
    shb.programming = programming;
    shb.settle_us = 100;
    shb.acquire_us = 20;
    shb.dead_zone = 0;
    shb.dead_man_ms = 2000;
    shb_safe();
}

void shb_safe(void)
{
    uint16_t i;

    hal_safe();
    shb.armed = shb.floating = false;
    for (i = 0; i < SHB_NODES; i++)
        shb.isolated[i] = true;
    shb.kept_rows = 0;
    shb_idle();
}

/* Levels to 0, nudge sources open. */
void shb_idle(void)
{
    uint16_t i;

    for (i = 0; i < SHB_INPUTS; i++)
        shb.inputs[i] = 0;
    shb.nudging = false;
    shb_apply();
}

void shb_apply(void)
{
    hal_nudges(shb.nudging ? shb.nudges : NULL);
    hal_inputs(shb.inputs);
}

void shb_switch(void)
{
    uint16_t i;

    for (i = 0; i < SHB_NODES; i++)
        hal_isolate(i, shb.isolated[i]);
    hal_float_lines(shb.floating);
}

uint16_t shb_count_isolated(void)
{
    uint16_t i, n = 0;

    for (i = 0; i < SHB_NODES; i++)
        n = (uint16_t)(n + shb.isolated[i]);
    return n;
}

int shb_check_armed(void)
{
    if (!shb.armed)
        return 101;
    return hal_interlock_closed() ? 0 : 102;
}

int shb_check_ready(void)
{
    int code = shb_check_armed();

    if (!code && (shb.floating || shb_count_isolated()))
        code = 109;
    return code;
}

void shb_poll(void)
{
    int code = 0;

    if (!shb.armed)
        return;
    if (!hal_interlock_closed())
        code = 102;
    else if (hal_now_ms() - shb.heard_ms >= shb.dead_man_ms)
        code = 103;
    if (code) {
        shb_safe();
        shb_error(code);
    }
}

/* One message up to its first error. */
static void carry_out(void)
{
    struct shb_unit unit;
    uint32_t at = 0;
    int code = 0;

    shb_begin_message();
    while (!code && shb_next_unit(rx, rx_size, &at, &unit))
        code = shb_carry_out(&unit);
    if (code)
        shb_error(code);
    shb_end_message();
}

static void fault(int code)
{
    rx_size = 0;
    inside = IN_NOISE;
    shb_error(code);
}

static void take_length(uint8_t byte)
{
    if (byte < '0' || byte > '9') {
        fault(-161);
        return;
    }
    rx_left = 10 * rx_left + (uint32_t)(byte - '0');
    if (--rx_digits)
        return;
    if (rx_left > SHB_MESSAGE_BYTES - rx_size)
        fault(-363);
    else
        inside = rx_left ? IN_BLOCK : IN_TEXT;
}

static void take(uint8_t byte)
{
    uint8_t before = rx_size ? rx[rx_size - 1] : 0;

    if (inside == IN_NOISE)
        return;
    if (inside == IN_TEXT && byte == '\n') {
        carry_out();
        rx_size = 0;
        shb.heard_ms = hal_now_ms();
        return;
    }
    if (rx_size >= SHB_MESSAGE_BYTES) {
        fault(-363);
        return;
    }
    rx[rx_size++] = byte;
    if (inside == IN_TEXT) {
        if (byte == '#' && (before == ' ' || before == '\t' || before == '\r' || before == ','))
            inside = IN_COUNT;
    } else if (inside == IN_COUNT) {
        if (byte < '1' || byte > '9') {
            fault(-161);
            return;
        }
        rx_digits = (uint8_t)(byte - '0');
        rx_left = 0;
        inside = IN_LENGTH;
    } else if (inside == IN_LENGTH) {
        take_length(byte);
    } else if (--rx_left == 0) {
        inside = IN_TEXT;
    }
}

void shb_receive(const uint8_t *data, size_t size)
{
    uint32_t now = hal_now_ms();
    size_t i;

    if (size == 0)
        return;
    shb_poll();
    if (now - rx_last_ms >= SHB_QUIET_MS && inside != IN_TEXT) {
        if (inside != IN_NOISE)
            shb_error(-161);
        rx_size = 0;
        inside = IN_TEXT;
    }
    for (i = 0; i < size; i++)
        take(data[i]);
    rx_last_ms = hal_now_ms();
}
