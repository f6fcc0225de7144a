/* Replies, gathered in a few bytes and sent on. */
#include "shb_internal.h"

static uint8_t buffer[64];
static uint8_t filled;
static bool replied;
static uint16_t crc;

static void flush(void)
{
    if (filled)
        hal_write(buffer, filled);
    filled = 0;
}

static void put(uint8_t byte)
{
    if (filled == sizeof buffer)
        flush();
    buffer[filled++] = byte;
}

void shb_begin_message(void) { replied = false; }

void shb_end_message(void)
{
    if (replied)
        put('\n');
    flush();
}

void shb_begin_reply(void)
{
    if (replied)
        put(';');
    replied = true;
}

void shb_put_text(const char *text)
{
    while (*text)
        put((uint8_t)*text++);
}

void shb_put_number(int32_t value)
{
    uint8_t digits[10], n = 0;
    uint32_t size = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;

    if (value < 0)
        put('-');
    do {
        digits[n++] = (uint8_t)('0' + size % 10);
        size /= 10;
    } while (size);
    while (n)
        put(digits[--n]);
}

void shb_put_numbers(const int32_t *values, uint8_t n)
{
    uint8_t i;

    for (i = 0; i < n; i++) {
        if (i)
            put(',');
        shb_put_number(values[i]);
    }
}

/* A definite-length block with room for its checksum. */
void shb_begin_block(uint32_t body_bytes)
{
    uint32_t size = body_bytes + 2, rest;
    uint8_t digits = 0;

    for (rest = size; rest; rest /= 10)
        digits++;
    put('#');
    put((uint8_t)('0' + digits));
    shb_put_number((int32_t)size);
    crc = 0xFFFF;
}

void shb_put_i16(int16_t value)
{
    uint8_t bytes[2];

    bytes[0] = (uint8_t)((uint16_t)value & 0xFF);
    bytes[1] = (uint8_t)((uint16_t)value >> 8);
    crc = shb_crc(crc, bytes, 2);
    put(bytes[0]);
    put(bytes[1]);
}

void shb_end_block(void)
{
    put((uint8_t)(crc >> 8));
    put((uint8_t)(crc & 0xFF));
}
