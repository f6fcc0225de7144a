/* Limits, times and how pulses are made (SPECIFICATION.md, 6 to 9). */
#include "shb_commands.h"

#define FULL 32767
#define MAX_US 1000000
#define LARGEST(bits) ((int32_t)((1L << ((bits) - 1)) - 1))

static const char *const schemes[] = {"HALF", "THIRd", "GATE"};

static int16_t largest_program(void)
{
    const struct shb_programming *p = &shb.programming;
    int16_t largest = 0;
    uint8_t i;

    for (i = 0; i < 2; i++) {
        largest = p->level[i] > largest ? p->level[i] : largest;
        largest = p->gate[i] > largest ? p->gate[i] : largest;
    }
    return largest;
}

/* Settable only while nothing can be energised. */
static int limit(const struct shb_unit *unit, int32_t most, int16_t least, int16_t *where)
{
    int32_t value;
    int code = shb_whole(&unit->parameters[0], 0, most, &value);

    if (code)
        return code;
    if (shb.armed || value < least)
        return -221;
    *where = (int16_t)value;
    return 0;
}

int shb_cmd_limit_input(const struct shb_unit *unit)
{
    return limit(unit, LARGEST(SHB_DAC_BITS), 0, &shb.limits.input);
}

int shb_cmd_limit_nudge(const struct shb_unit *unit)
{
    return limit(unit, LARGEST(SHB_NUDGE_BITS), 0, &shb.limits.nudge);
}

int shb_cmd_limit_program(const struct shb_unit *unit)
{
    return limit(unit, LARGEST(SHB_PROGRAM_BITS), largest_program(), &shb.limits.program);
}

int shb_cmd_limit_pulses(const struct shb_unit *unit)
{
    return limit(unit, 127, 0, &shb.limits.pulses);
}

int shb_cmd_ask_limit_input(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb.limits.input);
}

int shb_cmd_ask_limit_nudge(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb.limits.nudge);
}

int shb_cmd_ask_limit_program(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb.limits.program);
}

int shb_cmd_ask_limit_pulses(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb.limits.pulses);
}

static int set_u32(const struct shb_unit *unit, int32_t low, int32_t high, uint32_t *where)
{
    int32_t value;
    int code = shb_whole(&unit->parameters[0], low, high, &value);

    if (!code)
        *where = (uint32_t)value;
    return code;
}

int shb_cmd_dead_man(const struct shb_unit *unit)
{
    return set_u32(unit, 50, 60000, &shb.dead_man_ms);
}

int shb_cmd_settle(const struct shb_unit *unit) { return set_u32(unit, 0, MAX_US, &shb.settle_us); }

int shb_cmd_acquire(const struct shb_unit *unit)
{
    return set_u32(unit, 0, MAX_US, &shb.acquire_us);
}

int shb_cmd_width(const struct shb_unit *unit)
{
    return set_u32(unit, 1, MAX_US, &shb.programming.width_us);
}

int shb_cmd_dead_zone(const struct shb_unit *unit)
{
    int32_t value;
    int code = shb_whole(&unit->parameters[0], 0, FULL, &value);

    if (!code)
        shb.dead_zone = (int16_t)value;
    return code;
}

int shb_cmd_ask_dead_man(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer((int32_t)shb.dead_man_ms);
}

int shb_cmd_ask_settle(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer((int32_t)shb.settle_us);
}

int shb_cmd_ask_acquire(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer((int32_t)shb.acquire_us);
}

int shb_cmd_ask_width(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer((int32_t)shb.programming.width_us);
}

int shb_cmd_ask_dead_zone(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb.dead_zone);
}

/* Codes for setting and resetting. */
static int pair(const struct shb_unit *unit, int16_t *where)
{
    int32_t values[2];
    uint8_t i;

    for (i = 0; i < 2; i++) {
        int code = shb_whole(&unit->parameters[i], 0, FULL, &values[i]);
        if (code)
            return code;
    }
    if (values[0] > shb.limits.program || values[1] > shb.limits.program)
        return 105;
    where[0] = (int16_t)values[0];
    where[1] = (int16_t)values[1];
    return 0;
}

static int ask_pair(const int16_t *where)
{
    int32_t values[2];

    values[0] = where[0];
    values[1] = where[1];
    shb_begin_reply();
    shb_put_numbers(values, 2);
    return 0;
}

int shb_cmd_level(const struct shb_unit *unit) { return pair(unit, shb.programming.level); }
int shb_cmd_gate(const struct shb_unit *unit) { return pair(unit, shb.programming.gate); }

int shb_cmd_ask_level(const struct shb_unit *unit)
{
    (void)unit;
    return ask_pair(shb.programming.level);
}

int shb_cmd_ask_gate(const struct shb_unit *unit)
{
    (void)unit;
    return ask_pair(shb.programming.gate);
}

int shb_cmd_scheme(const struct shb_unit *unit)
{
    int found = shb_word(&unit->parameters[0], schemes, 3);

    if (found < 0)
        return found;
    if (!(SHB_SCHEMES >> found & 1))
        return -224;
    shb.programming.scheme = (uint8_t)found;
    return 0;
}

int shb_cmd_ask_scheme(const struct shb_unit *unit)
{
    static const char *const spelled[] = {"HALF", "THIR", "GATE"};

    (void)unit;
    return shb_answer_text(spelled[shb.programming.scheme]);
}
