/* What a run was asked to do, checked before anything is applied (SPECIFICATION.md, 8). */
#include "shb_run.h"

static uint8_t letter(uint8_t byte) { return (uint8_t)(byte & ~0x20); }

/* bank, drive, flags: "A0R", "B+1RC". */
static int parse_phase(const struct shb_parameter *parameter, struct shb_phase *phase)
{
    const uint8_t *text = parameter->data;
    uint32_t size = parameter->size, at = 1;

    if (parameter->is_block)
        return -104;
    if (size < 2 || (letter(text[0]) != 'A' && letter(text[0]) != 'B'))
        return -224;
    phase->bank = letter(text[0]) == 'B';
    phase->number = 0;
    phase->minus = false;
    if (text[1] == '0') {
        at = 2;
    } else {
        if ((text[1] != '+' && text[1] != '-') || size < 3 || text[2] < '1' ||
            text[2] > '0' + SHB_MAX_SETS)
            return -224;
        phase->minus = text[1] == '-';
        phase->number = (uint8_t)(text[2] - '0');
        at = 3;
    }
    phase->read = at < size && letter(text[at]) == 'R';
    at += phase->read;
    phase->compare = at < size && letter(text[at]) == 'C';
    at += phase->compare;
    return at == size ? 0 : -224;
}

static int parse_phases(const struct shb_unit *unit, struct shb_plan *plan)
{
    uint8_t i;

    plan->count = (uint8_t)(unit->count - 2);
    plan->sets = plan->reads = 0;
    plan->compares = false;
    for (i = 0; i < plan->count; i++) {
        struct shb_phase *phase = &plan->phases[i];
        int code = parse_phase(&unit->parameters[i + 1], phase);
        if (code)
            return code;
        if (phase->number > plan->sets)
            plan->sets = phase->number;
        plan->reads = (uint8_t)(plan->reads + phase->read);
    }
    return 0;
}

/* One comparison at most, of a bank with one held before it. */
static int check_banks(struct shb_plan *plan)
{
    bool held[2] = {false, false};
    uint8_t i;

    for (i = 0; i < plan->count; i++) {
        const struct shb_phase *phase = &plan->phases[i];
        if (phase->compare && (plan->compares || !held[1 - phase->bank]))
            return -221;
        plan->compares = plan->compares || phase->compare;
        held[phase->bank] = true;
    }
    return 0;
}

static int take_table(const uint8_t *body, uint32_t size, struct shb_plan *plan)
{
    if (size < 4)
        return -222;
    plan->tag = shb_u16(body);
    plan->n = shb_u16(body + 2);
    plan->width = 2u * ((plan->keep ? 1u : SHB_INPUTS) + (uint32_t)plan->sets * SHB_OUTPUTS);
    if (plan->n < 1 || plan->n > SHB_QUEUE || size != 4 + plan->n * plan->width)
        return -222;
    plan->table = body + 4;
    return 0;
}

static bool beyond(const uint8_t *data, uint32_t n, int16_t most)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        int32_t code = shb_i16(data + 2 * i);
        if (code > most || code < -(int32_t)most)
            return true;
    }
    return false;
}

static int check_kept(const struct shb_plan *plan)
{
    uint16_t b;

    if (!plan->keep)
        return 0;
    if (shb.kept_rows == 0 || shb.kept_tag != plan->tag)
        return 107;
    for (b = 0; b < plan->n; b++)
        if (shb_u16(plan->table + b * plan->width) >= shb.kept_rows)
            return 107;
    return 0;
}

static int check_levels(const struct shb_plan *plan)
{
    uint32_t skip = plan->keep ? 1 : SHB_INPUTS;
    uint16_t b, i;

    for (b = 0; b < plan->n; b++) {
        const uint8_t *row = plan->table + b * plan->width;
        if (!plan->keep && beyond(row, SHB_INPUTS, shb.limits.input))
            return 105;
        if (beyond(row + 2 * skip, (uint32_t)plan->sets * SHB_OUTPUTS, shb.limits.nudge))
            return 105;
        for (i = 0; plan->keep && i < SHB_INPUTS; i++) {
            int32_t code = shb.kept[shb_u16(row)][i];
            if (code > shb.limits.input || code < -(int32_t)shb.limits.input)
                return 105;
        }
    }
    return 0;
}

int shb_plan_run(const struct shb_unit *unit, struct shb_plan *plan)
{
    static const char *const modes[] = {"LOAD", "KEEP"};
    const uint8_t *body;
    uint32_t size;
    int code = shb_word(&unit->parameters[0], modes, 2);

    if (code < 0)
        return code;
    plan->keep = code == 1;
    code = parse_phases(unit, plan);
    if (!code)
        code = check_banks(plan);
    if (!code)
        code = shb_body(&unit->parameters[unit->count - 1], &body, &size);
    if (!code && plan->compares && !SHB_COMPARATORS)
        code = 108;
    if (!code)
        code = take_table(body, size, plan);
    if (!code)
        code = shb_check_ready();
    if (!code)
        code = check_kept(plan);
    if (!code)
        code = check_levels(plan);
    return code;
}
