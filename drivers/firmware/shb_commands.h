/* The commands, by the files they are in; each returns 0 or an error. */
#ifndef SHB_COMMANDS_H
#define SHB_COMMANDS_H

#include "shb_internal.h"

/* shb_commands.c: an answer, and a parameter of 0 to n - 1. */
int shb_answer(int32_t value);
int shb_answer_text(const char *text);
int shb_place(const struct shb_unit *unit, uint8_t which, int32_t n, int32_t *value);

/* shb_identity.c */
int shb_cmd_identify(const struct shb_unit *unit);
int shb_cmd_reset(const struct shb_unit *unit);
int shb_cmd_clear(const struct shb_unit *unit);
int shb_cmd_events(const struct shb_unit *unit);
int shb_cmd_status_byte(const struct shb_unit *unit);
int shb_cmd_one(const struct shb_unit *unit);
int shb_cmd_zero(const struct shb_unit *unit);
int shb_cmd_next_error(const struct shb_unit *unit);
int shb_cmd_error_count(const struct shb_unit *unit);
int shb_cmd_protocol(const struct shb_unit *unit);
int shb_cmd_capability(const struct shb_unit *unit);
int shb_cmd_array(const struct shb_unit *unit);

/* shb_safety.c */
int shb_cmd_safe(const struct shb_unit *unit);
int shb_cmd_arm(const struct shb_unit *unit);
int shb_cmd_is_armed(const struct shb_unit *unit);
int shb_cmd_summary(const struct shb_unit *unit);
int shb_cmd_interlock(const struct shb_unit *unit);
int shb_cmd_isolate(const struct shb_unit *unit);
int shb_cmd_count_isolated(const struct shb_unit *unit);
int shb_cmd_isolate_node(const struct shb_unit *unit);
int shb_cmd_is_isolated(const struct shb_unit *unit);
int shb_cmd_lines(const struct shb_unit *unit);
int shb_cmd_ask_lines(const struct shb_unit *unit);

/* shb_settings.c */
int shb_cmd_limit_input(const struct shb_unit *unit);
int shb_cmd_limit_nudge(const struct shb_unit *unit);
int shb_cmd_limit_program(const struct shb_unit *unit);
int shb_cmd_limit_pulses(const struct shb_unit *unit);
int shb_cmd_ask_limit_input(const struct shb_unit *unit);
int shb_cmd_ask_limit_nudge(const struct shb_unit *unit);
int shb_cmd_ask_limit_program(const struct shb_unit *unit);
int shb_cmd_ask_limit_pulses(const struct shb_unit *unit);
int shb_cmd_dead_man(const struct shb_unit *unit);
int shb_cmd_settle(const struct shb_unit *unit);
int shb_cmd_acquire(const struct shb_unit *unit);
int shb_cmd_width(const struct shb_unit *unit);
int shb_cmd_dead_zone(const struct shb_unit *unit);
int shb_cmd_ask_dead_man(const struct shb_unit *unit);
int shb_cmd_ask_settle(const struct shb_unit *unit);
int shb_cmd_ask_acquire(const struct shb_unit *unit);
int shb_cmd_ask_width(const struct shb_unit *unit);
int shb_cmd_ask_dead_zone(const struct shb_unit *unit);
int shb_cmd_level(const struct shb_unit *unit);
int shb_cmd_gate(const struct shb_unit *unit);
int shb_cmd_ask_level(const struct shb_unit *unit);
int shb_cmd_ask_gate(const struct shb_unit *unit);
int shb_cmd_scheme(const struct shb_unit *unit);
int shb_cmd_ask_scheme(const struct shb_unit *unit);

/* shb_manual.c */
int shb_cmd_write_input(const struct shb_unit *unit);
int shb_cmd_read_input(const struct shb_unit *unit);
int shb_cmd_write_nudge(const struct shb_unit *unit);
int shb_cmd_read_nudge(const struct shb_unit *unit);
int shb_cmd_open_nudges(const struct shb_unit *unit);
int shb_cmd_hold(const struct shb_unit *unit);
int shb_cmd_read_bank(const struct shb_unit *unit);
int shb_cmd_compare(const struct shb_unit *unit);
int shb_cmd_last_pulses(const struct shb_unit *unit);

#endif
