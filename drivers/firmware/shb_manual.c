/* One level, hold and reading at a time (SPECIFICATION.md, 7). */
#include "shb_commands.h"

#define FULL 32767

static const char *const banks[] = {"A", "B"};

static int write_level(const struct shb_unit *unit, int32_t n, int16_t most, int32_t *channel,
                       int32_t *code)
{
    int failed = shb_place(unit, 0, n, channel);

    if (!failed)
        failed = shb_whole(&unit->parameters[1], -FULL, FULL, code);
    if (!failed)
        failed = shb_check_ready();
    if (!failed && (*code > most || *code < -most))
        failed = 105;
    return failed;
}

int shb_cmd_write_input(const struct shb_unit *unit)
{
    int32_t channel, value;
    int code = write_level(unit, SHB_INPUTS, shb.limits.input, &channel, &value);

    if (code)
        return code;
    shb.inputs[channel] = (int16_t)value;
    shb_apply();
    return 0;
}

int shb_cmd_read_input(const struct shb_unit *unit)
{
    int32_t channel;
    int code = shb_place(unit, 0, SHB_INPUTS, &channel);

    return code ? code : shb_answer(shb.inputs[channel]);
}

int shb_cmd_write_nudge(const struct shb_unit *unit)
{
    int32_t channel, value;
    int code = write_level(unit, SHB_OUTPUTS, shb.limits.nudge, &channel, &value);
    uint16_t i;

    if (code)
        return code;
    if (!shb.nudging)
        for (i = 0; i < SHB_OUTPUTS; i++)
            shb.nudges[i] = 0;
    shb.nudging = true;
    shb.nudges[channel] = (int16_t)value;
    shb_apply();
    return 0;
}

int shb_cmd_read_nudge(const struct shb_unit *unit)
{
    int32_t channel;
    int code = shb_place(unit, 0, SHB_OUTPUTS, &channel);

    if (code)
        return code;
    return shb.nudging ? shb_answer(shb.nudges[channel]) : shb_answer_text("OPEN");
}

int shb_cmd_open_nudges(const struct shb_unit *unit)
{
    (void)unit;
    shb.nudging = false;
    shb_apply();
    return 0;
}

int shb_cmd_hold(const struct shb_unit *unit)
{
    int bank = shb_word(&unit->parameters[0], banks, 2);
    int code;

    if (bank < 0)
        return bank;
    code = shb_check_ready();
    if (code)
        return code;
    hal_wait_us(shb.settle_us);
    hal_track((uint8_t)bank);
    hal_wait_us(shb.acquire_us);
    hal_hold((uint8_t)bank);
    return 0;
}

int shb_cmd_read_bank(const struct shb_unit *unit)
{
    static int16_t codes[SHB_NODES];
    int bank = shb_word(&unit->parameters[0], banks, 2);
    uint16_t i;

    if (bank < 0)
        return bank;
    shb_answer(hal_read((uint8_t)bank, codes));
    for (i = 0; i < SHB_NODES; i++) {
        shb_put_text(",");
        shb_put_number(codes[i]);
    }
    return 0;
}

int shb_cmd_compare(const struct shb_unit *unit)
{
    int32_t device;
    int code, bank = shb_word(&unit->parameters[0], banks, 2);

    if (bank < 0)
        return bank;
    code = shb_place(unit, 1, SHB_DEVICES, &device);
    if (code)
        return code;
    if (!SHB_COMPARATORS)
        return 108;
    hal_compare((uint8_t)bank, shb.dead_zone);
    return shb_answer(hal_vote((uint32_t)device));
}

int shb_cmd_last_pulses(const struct shb_unit *unit)
{
    int32_t values[3];

    (void)unit;
    values[0] = (int32_t)shb.sequence;
    values[1] = (int32_t)shb.requested;
    values[2] = (int32_t)shb.applied;
    shb_begin_reply();
    shb_put_numbers(values, 3);
    return 0;
}
