/* Arming, the safe state and the switches (SPECIFICATION.md, 6). */
#include "shb_commands.h"

static const char *const flags[] = {"OFF", "ON", "0", "1"};
static const char *const line_states[] = {"GROund", "FLOat"};

int shb_cmd_safe(const struct shb_unit *unit)
{
    (void)unit;
    shb_safe();
    return 0;
}

int shb_cmd_arm(const struct shb_unit *unit)
{
    uint16_t i;

    (void)unit;
    if (!hal_interlock_closed())
        return 102;
    if (!shb.armed) {
        shb.armed = true;
        shb.floating = false;
        for (i = 0; i < SHB_NODES; i++)
            shb.isolated[i] = false;
        shb_switch();
    }
    return 0;
}

int shb_cmd_is_armed(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb.armed);
}

int shb_cmd_summary(const struct shb_unit *unit)
{
    int32_t values[4];

    (void)unit;
    values[0] = shb.armed;
    values[1] = shb_count_isolated();
    values[2] = shb.floating;
    values[3] = hal_interlock_closed();
    shb_begin_reply();
    shb_put_numbers(values, 4);
    return 0;
}

int shb_cmd_interlock(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(hal_interlock_closed());
}

int shb_cmd_isolate(const struct shb_unit *unit)
{
    int flag = shb_word(&unit->parameters[0], flags, 4);
    uint16_t i;

    if (flag < 0)
        return flag;
    for (i = 0; i < SHB_NODES; i++)
        shb.isolated[i] = flag & 1;
    shb_switch();
    return 0;
}

int shb_cmd_count_isolated(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb_count_isolated());
}

int shb_cmd_isolate_node(const struct shb_unit *unit)
{
    int32_t node;
    int flag, code = shb_place(unit, 0, SHB_NODES, &node);

    if (code)
        return code;
    flag = shb_word(&unit->parameters[1], flags, 4);
    if (flag < 0)
        return flag;
    shb.isolated[node] = flag & 1;
    shb_switch();
    return 0;
}

int shb_cmd_is_isolated(const struct shb_unit *unit)
{
    int32_t node;
    int code = shb_place(unit, 0, SHB_NODES, &node);

    return code ? code : shb_answer(shb.isolated[node]);
}

int shb_cmd_lines(const struct shb_unit *unit)
{
    int state = shb_word(&unit->parameters[0], line_states, 2);

    if (state < 0)
        return state;
    shb.floating = state == 1;
    shb_switch();
    return 0;
}

int shb_cmd_ask_lines(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer_text(shb.floating ? "FLO" : "GRO");
}
