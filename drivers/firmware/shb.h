/* Reference core of the sample-and-hold board: SPECIFICATION.md in portable C99.
 * Freestanding: no library, no allocation, one board a program. */
#ifndef SHB_H
#define SHB_H

#include <stddef.h>
#include <stdint.h>

/* Once at power-up, before any other; leaves the board safe. */
void shb_init(void);

/* Bytes from the host, split anywhere. Runs complete messages and writes their replies. */
void shb_receive(const uint8_t *data, size_t size);

/* Often while nothing comes: dead-man timer and interlock. */
void shb_poll(void);

/* Everything off. */
void shb_safe(void);

#endif
