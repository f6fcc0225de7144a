/* Shared by the parts of the core. */
#ifndef SHB_INTERNAL_H
#define SHB_INTERNAL_H

#include "shb.h"
#include "shb_config.h"
#include "shb_hal.h"

#define SHB_PROTOCOL "1.0"
#define SHB_FIRMWARE "1.0.0"
#define SHB_QUIET_MS 100
#define SHB_MAX_PARAMETERS 12
#define SHB_MAX_PHASES 8
#define SHB_MAX_SETS 4

/* A parameter: text as sent, or the payload of a block. */
struct shb_parameter {
    const uint8_t *data;
    uint32_t size;
    bool is_block;
};

struct shb_unit {
    const uint8_t *header; /* without leading colon and question mark */
    uint32_t header_size;
    bool is_query;
    struct shb_parameter parameters[SHB_MAX_PARAMETERS];
    uint8_t count;
    int fault; /* error in the parameters, or 0 */
};

struct shb_limits {
    int16_t input, nudge, program, pulses;
};

struct shb_state {
    bool armed, floating, nudging;
    bool isolated[SHB_NODES];
    uint32_t heard_ms, dead_man_ms, settle_us, acquire_us;
    struct shb_limits limits;
    struct shb_programming programming;
    int16_t dead_zone;
    int16_t inputs[SHB_INPUTS], nudges[SHB_OUTPUTS];
    int16_t kept[SHB_QUEUE][SHB_INPUTS];
    uint16_t kept_rows;
    uint16_t kept_tag;
    uint32_t sequence, requested, applied;
};

extern struct shb_state shb;

/* shb_state.c */
void shb_reset(void);
void shb_idle(void);
void shb_apply(void);
void shb_switch(void);
int shb_check_armed(void);
int shb_check_ready(void);
uint16_t shb_count_isolated(void);

/* shb_errors.c */
void shb_error(int code);
int shb_next_error(void);
uint16_t shb_error_count(void);
uint8_t shb_take_events(void);
void shb_clear_errors(void);
const char *shb_error_text(int code);

/* shb_parse.c: takes one unit off a message; false at its end. */
bool shb_next_unit(const uint8_t *message, uint32_t size, uint32_t *at, struct shb_unit *unit);
bool shb_matches(const uint8_t *text, uint32_t size, const char *keywords);
int shb_whole(const struct shb_parameter *parameter, int32_t low, int32_t high, int32_t *value);
int shb_word(const struct shb_parameter *parameter, const char *const *words, uint8_t n);
uint16_t shb_crc(uint16_t crc, const uint8_t *data, size_t size);
int shb_body(const struct shb_parameter *parameter, const uint8_t **body, uint32_t *size);
uint16_t shb_u16(const uint8_t *data);
uint32_t shb_u32(const uint8_t *data);
int16_t shb_i16(const uint8_t *data);

/* shb_reply.c: replies of one message are joined by semicolons. */
void shb_begin_message(void);
void shb_end_message(void);
void shb_begin_reply(void);
void shb_put_text(const char *text);
void shb_put_number(int32_t value);
void shb_put_numbers(const int32_t *values, uint8_t n);
void shb_begin_block(uint32_t body_bytes);
void shb_put_i16(int16_t value);
void shb_end_block(void);

/* shb_commands.c, shb_run.c, shb_pulse.c */
int shb_carry_out(const struct shb_unit *unit);
int shb_run(const struct shb_unit *unit);
void shb_refuse_run(int code);
int shb_pulse_execute(const struct shb_unit *unit);
int shb_pulse_device(const struct shb_unit *unit);
void shb_pulse_outcome(int code);
uint32_t shb_array(uint16_t place, uint16_t *rows, uint16_t *columns);

#endif
