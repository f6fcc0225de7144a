/* Identity, capabilities, errors and status (SPECIFICATION.md, 5 and 10). */
#include "shb_commands.h"

#define SPELLED(number) #number
#define TEXT(number) SPELLED(number) /* of a plain decimal number, as shb_config.h has them */

static const uint16_t arrays[][2] = {SHB_ARRAYS};

int shb_cmd_identify(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer_text("EQPROP-HIL,SHBOARD," SHB_SERIAL "," SHB_FIRMWARE);
}

int shb_cmd_reset(const struct shb_unit *unit)
{
    (void)unit;
    shb_reset();
    return 0;
}

int shb_cmd_clear(const struct shb_unit *unit)
{
    (void)unit;
    shb_clear_errors();
    return 0;
}

int shb_cmd_events(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb_take_events());
}

int shb_cmd_status_byte(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb_error_count() ? 4 : 0);
}

int shb_cmd_one(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(1);
}

int shb_cmd_zero(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(0);
}

int shb_cmd_next_error(const struct shb_unit *unit)
{
    int code = shb_next_error();

    (void)unit;
    shb_answer(code);
    shb_put_text(",\"");
    shb_put_text(shb_error_text(code));
    shb_put_text("\"");
    return 0;
}

int shb_cmd_error_count(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer(shb_error_count());
}

int shb_cmd_protocol(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer_text(SHB_PROTOCOL);
}

int shb_cmd_capability(const struct shb_unit *unit)
{
    (void)unit;
    return shb_answer_text(
        "PROT=" SHB_PROTOCOL ",IN=" TEXT(SHB_INPUTS) ",OUT=" TEXT(SHB_OUTPUTS)
        ",NODE=" TEXT(SHB_NODES) ",DEV=" TEXT(SHB_DEVICES) ",ARR=" TEXT(SHB_N_ARRAYS)
        ",DACB=" TEXT(SHB_DAC_BITS) ",DACR=" TEXT(SHB_DAC_MICROVOLTS)
        ",NUDB=" TEXT(SHB_NUDGE_BITS) ",NUDR=" TEXT(SHB_NUDGE_PICOAMPS)
        ",ADCB=" TEXT(SHB_ADC_BITS) ",ADCR=" TEXT(SHB_ADC_MICROVOLTS)
        ",PRGB=" TEXT(SHB_PROGRAM_BITS) ",PRGR=" TEXT(SHB_PROGRAM_MICROVOLTS)
        ",COMP=" TEXT(SHB_COMPARATORS) ",SCH=" TEXT(SHB_SCHEMES)
        ",QUE=" TEXT(SHB_QUEUE) ",MSG=" TEXT(SHB_MESSAGE_BYTES));
}

/* First device of an array, its rows and columns. */
uint32_t shb_array(uint16_t which, uint16_t *rows, uint16_t *columns)
{
    uint32_t first = 0;
    uint16_t i;

    for (i = 0; i < which; i++)
        first += (uint32_t)arrays[i][0] * arrays[i][1];
    *rows = arrays[which][0];
    *columns = arrays[which][1];
    return first;
}

int shb_cmd_array(const struct shb_unit *unit)
{
    int32_t which, values[3];
    uint16_t rows, columns;
    int code = shb_place(unit, 0, SHB_N_ARRAYS, &which);

    if (code)
        return code;
    values[0] = (int32_t)shb_array((uint16_t)which, &rows, &columns);
    values[1] = rows;
    values[2] = columns;
    shb_begin_reply();
    shb_put_numbers(values, 3);
    return 0;
}
