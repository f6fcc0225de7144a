/* What the core asks of a board's electronics. A port implements these, and calls shb_init(),
 * shb_receive() and, between messages, shb_poll(). Codes are signed; see SPECIFICATION.md, 2. */
#ifndef SHB_HAL_H
#define SHB_HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHB_RANGE = 1, SHB_COMPLIANCE = 2, SHB_MOVING = 4, SHB_ABORTED = 8 }; /* status bits */
enum { SHB_HALF = 0, SHB_THIRD = 1, SHB_GATE = 2 };                          /* schemes */

/* How a pulse is made; [0] for setting (conductance up), [1] for resetting. */
struct shb_programming {
    uint8_t scheme;
    int16_t level[2];
    int16_t gate[2];
    uint32_t width_us;
};

/* Milliseconds of a clock that may wrap, and waiting. */
uint32_t hal_now_ms(void);
void hal_wait_us(uint32_t us);

/* To the host. Returns when the bytes are on their way or queued. */
void hal_write(const uint8_t *data, size_t size);

/* True while outputs may be energised. Asked before every phase and every pulse. */
bool hal_interlock_closed(void);

/* Nudge sources open, inputs 0 V, programming drivers, selects and gates off, every node
 * isolated, input lines grounded. Must work at any time, and again. */
void hal_safe(void);

/* The switch that cuts diode, amplifier and nudge source off a node. */
void hal_isolate(uint16_t node, bool isolated);

/* Input lines cut off from their DACs and ground, for an external instrument. */
void hal_float_lines(bool floating);

/* Levels: SHB_INPUTS and SHB_OUTPUTS codes; NULL opens the nudge sources. */
void hal_inputs(const int16_t *codes);
void hal_nudges(const int16_t *codes);

/* A bank (0: A, 1: B) follows all nodes; then keeps them. The latter tells what it knows of the
 * state: SHB_COMPLIANCE, SHB_MOVING. */
void hal_track(uint8_t bank);
uint16_t hal_hold(uint8_t bank);

/* Convert a bank to SHB_NODES codes; SHB_RANGE if one is cut off. */
uint16_t hal_read(uint8_t bank, int16_t *codes);

/* All comparators decide at once; then each tells: +1 if the absolute drop of its device in the
 * other bank is larger than in first_bank by more than the dead zone (ADC codes), -1 if smaller. */
void hal_compare(uint8_t first_bank, int16_t dead_zone);
int8_t hal_vote(uint32_t device);

/* One pulse on one device of an array: set for sign > 0, reset for sign < 0. */
void hal_pulse(uint16_t array, uint16_t row, uint16_t column, int8_t sign,
               const struct shb_programming *how);

#endif
