/* Find the command of a unit and carry it out (SPECIFICATION.md, 5 to 10). */
#include "shb_commands.h"

typedef int (*handler)(const struct shb_unit *unit);

int shb_answer(int32_t value)
{
    shb_begin_reply();
    shb_put_number(value);
    return 0;
}

int shb_answer_text(const char *text)
{
    shb_begin_reply();
    shb_put_text(text);
    return 0;
}

int shb_place(const struct shb_unit *unit, uint8_t which, int32_t n, int32_t *value)
{
    return shb_whole(&unit->parameters[which], 0, n - 1, value);
}

static const struct command {
    const char *header;
    bool is_query;
    uint8_t fewest, most;
    handler run;
} commands[] = {
    {"*IDN", true, 0, 0, shb_cmd_identify},
    {"*RST", false, 0, 0, shb_cmd_reset},
    {"*CLS", false, 0, 0, shb_cmd_clear},
    {"*ESR", true, 0, 0, shb_cmd_events},
    {"*STB", true, 0, 0, shb_cmd_status_byte},
    {"*OPC", true, 0, 0, shb_cmd_one},
    {"*TST", true, 0, 0, shb_cmd_zero},
    {"SYSTem:ERRor", true, 0, 0, shb_cmd_next_error},
    {"SYSTem:ERRor:COUNt", true, 0, 0, shb_cmd_error_count},
    {"SYSTem:PROTocol", true, 0, 0, shb_cmd_protocol},
    {"CAPability", true, 0, 0, shb_cmd_capability},
    {"CAPability:ARRay", true, 1, 1, shb_cmd_array},
    {"SAFE", false, 0, 0, shb_cmd_safe},
    {"ARM", false, 0, 0, shb_cmd_arm},
    {"ARM", true, 0, 0, shb_cmd_is_armed},
    {"STATe", true, 0, 0, shb_cmd_summary},
    {"INTerlock", true, 0, 0, shb_cmd_interlock},
    {"ISOLate", false, 1, 1, shb_cmd_isolate},
    {"ISOLate", true, 0, 0, shb_cmd_count_isolated},
    {"ISOLate:NODE", false, 2, 2, shb_cmd_isolate_node},
    {"ISOLate:NODE", true, 1, 1, shb_cmd_is_isolated},
    {"LINes", false, 1, 1, shb_cmd_lines},
    {"LINes", true, 0, 0, shb_cmd_ask_lines},
    {"LIMit:INPut", false, 1, 1, shb_cmd_limit_input},
    {"LIMit:INPut", true, 0, 0, shb_cmd_ask_limit_input},
    {"LIMit:NUDGe", false, 1, 1, shb_cmd_limit_nudge},
    {"LIMit:NUDGe", true, 0, 0, shb_cmd_ask_limit_nudge},
    {"LIMit:PROGram", false, 1, 1, shb_cmd_limit_program},
    {"LIMit:PROGram", true, 0, 0, shb_cmd_ask_limit_program},
    {"LIMit:PULSe", false, 1, 1, shb_cmd_limit_pulses},
    {"LIMit:PULSe", true, 0, 0, shb_cmd_ask_limit_pulses},
    {"DEADman", false, 1, 1, shb_cmd_dead_man},
    {"DEADman", true, 0, 0, shb_cmd_ask_dead_man},
    {"COMParator:DEADzone", false, 1, 1, shb_cmd_dead_zone},
    {"COMParator:DEADzone", true, 0, 0, shb_cmd_ask_dead_zone},
    {"TIMing:SETTle", false, 1, 1, shb_cmd_settle},
    {"TIMing:SETTle", true, 0, 0, shb_cmd_ask_settle},
    {"TIMing:ACQuire", false, 1, 1, shb_cmd_acquire},
    {"TIMing:ACQuire", true, 0, 0, shb_cmd_ask_acquire},
    {"PROGram:WIDTh", false, 1, 1, shb_cmd_width},
    {"PROGram:WIDTh", true, 0, 0, shb_cmd_ask_width},
    {"PROGram:LEVel", false, 2, 2, shb_cmd_level},
    {"PROGram:LEVel", true, 0, 0, shb_cmd_ask_level},
    {"PROGram:GATE", false, 2, 2, shb_cmd_gate},
    {"PROGram:GATE", true, 0, 0, shb_cmd_ask_gate},
    {"PROGram:SCHeme", false, 1, 1, shb_cmd_scheme},
    {"PROGram:SCHeme", true, 0, 0, shb_cmd_ask_scheme},
    {"INPut:CODE", false, 2, 2, shb_cmd_write_input},
    {"INPut:CODE", true, 1, 1, shb_cmd_read_input},
    {"NUDGe:CODE", false, 2, 2, shb_cmd_write_nudge},
    {"NUDGe:CODE", true, 1, 1, shb_cmd_read_nudge},
    {"NUDGe:OPEN", false, 0, 0, shb_cmd_open_nudges},
    {"HOLD", false, 1, 1, shb_cmd_hold},
    {"READ", true, 1, 1, shb_cmd_read_bank},
    {"COMPare", true, 2, 2, shb_cmd_compare},
    {"RUN", true, 3, SHB_MAX_PHASES + 2, shb_run},
    {"PULSe:EXECute", true, 1, 1, shb_pulse_execute},
    {"PULSe:DEVice", true, 3, 3, shb_pulse_device},
    {"PULSe:LAST", true, 0, 0, shb_cmd_last_pulses},
};

/* Carry out one unit; runs and pulses answer whatever happens. */
int shb_carry_out(const struct shb_unit *unit)
{
    const struct command *command = NULL;
    size_t i;
    int code;

    for (i = 0; i < sizeof commands / sizeof commands[0] && !command; i++)
        if (commands[i].is_query == unit->is_query &&
            shb_matches(unit->header, unit->header_size, commands[i].header))
            command = &commands[i];
    if (!command)
        return -113;
    if (unit->fault)
        code = unit->fault;
    else if (unit->count < command->fewest)
        code = -109;
    else if (unit->count > command->most)
        code = -108;
    else
        code = command->run(unit);
    if (command->run == shb_run && code && code != 110)
        shb_refuse_run(code);
    if (command->run == shb_pulse_execute || command->run == shb_pulse_device)
        shb_pulse_outcome(code);
    return code;
}
