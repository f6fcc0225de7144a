/* The error queue and the standard event register (SPECIFICATION.md, 10). */
#include "shb_internal.h"

#define CAPACITY 16

static int16_t queue[CAPACITY];
static uint8_t first, count, events = 128; /* power on */

static const struct {
    int16_t code;
    const char *text;
} texts[] = {
    {0, "No error"},
    {-103, "Invalid separator"},
    {-104, "Data type error"},
    {-108, "Parameter not allowed"},
    {-109, "Missing parameter"},
    {-113, "Undefined header"},
    {-161, "Invalid block data"},
    {-221, "Settings conflict"},
    {-222, "Data out of range"},
    {-224, "Illegal parameter value"},
    {-230, "Data corrupt or stale"},
    {-350, "Queue overflow"},
    {-363, "Input buffer overrun"},
    {101, "Not armed"},
    {102, "Interlock open"},
    {103, "Dead-man expired"},
    {104, "Checksum mismatch"},
    {105, "Beyond limit"},
    {106, "Pulse sequence mismatch"},
    {107, "Inputs not kept"},
    {108, "No comparator"},
    {109, "Isolated or floating"},
    {110, "Aborted"},
};

void shb_error(int code)
{
    if (count < CAPACITY) {
        queue[(first + count) % CAPACITY] = (int16_t)(count == CAPACITY - 1 ? -350 : code);
        count++;
    }
    if (code <= -100 && code >= -199)
        events |= 32;
    else if (code <= -200 && code >= -299)
        events |= 16;
    else
        events |= 8;
}

int shb_next_error(void)
{
    int code;

    if (count == 0)
        return 0;
    code = queue[first];
    first = (uint8_t)((first + 1) % CAPACITY);
    count--;
    return code;
}

uint16_t shb_error_count(void) { return count; }

uint8_t shb_take_events(void)
{
    uint8_t taken = events;

    events = 0;
    return taken;
}

void shb_clear_errors(void) { count = events = 0; }

const char *shb_error_text(int code)
{
    size_t i;

    for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].code == code)
            return texts[i].text;
    return "";
}
