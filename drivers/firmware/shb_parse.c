/* Taking a message apart (SPECIFICATION.md, 3 and 4). */
#include "shb_internal.h"

static bool is_blank(uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '\r'; }

static uint8_t upper(uint8_t byte)
{
    return byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 'a' + 'A') : byte;
}

static uint32_t past_blanks(const uint8_t *message, uint32_t size, uint32_t at)
{
    while (at < size && is_blank(message[at]))
        at++;
    return at;
}

/* A block, whose length framing has checked; returns where the next thing begins. */
static uint32_t take_block(const uint8_t *message, uint32_t size, uint32_t at,
                           struct shb_parameter *found)
{
    uint32_t begin = at + 2 + (uint32_t)(message[at + 1] - '0');
    uint32_t i;

    found->is_block = true;
    found->size = 0;
    for (i = at + 2; i < begin; i++)
        found->size = 10 * found->size + (uint32_t)(message[i] - '0');
    found->data = message + begin;
    return past_blanks(message, size, begin + found->size);
}

/* Text up to a comma or semicolon; false if a block stands in the middle of it. */
static bool take_text(const uint8_t *message, uint32_t size, uint32_t *at,
                      struct shb_parameter *found)
{
    uint32_t start = *at, end;

    while (*at < size && message[*at] != ',' && message[*at] != ';') {
        uint8_t before = message[*at - 1];
        if (message[*at] == '#' && (is_blank(before) || before == ','))
            return false;
        (*at)++;
    }
    for (end = *at; end > start && is_blank(message[end - 1]);)
        end--;
    found->is_block = false;
    found->data = message + start;
    found->size = end - start;
    return true;
}

static int take_parameters(const uint8_t *message, uint32_t size, uint32_t *at,
                           struct shb_unit *unit)
{
    *at = past_blanks(message, size, *at);
    if (*at >= size || message[*at] == ';')
        return 0;
    for (;;) {
        struct shb_parameter *next = &unit->parameters[unit->count];
        uint8_t before = message[*at - 1];

        if (unit->count == SHB_MAX_PARAMETERS)
            return -108;
        if (*at < size && message[*at] == '#' && (is_blank(before) || before == ','))
            *at = take_block(message, size, *at, next);
        else if (!take_text(message, size, at, next))
            return -103;
        if (!next->is_block && next->size == 0)
            return -109;
        unit->count++;
        if (*at >= size || message[*at] == ';')
            return 0;
        if (message[*at] != ',')
            return -103;
        *at = past_blanks(message, size, *at + 1);
    }
}

bool shb_next_unit(const uint8_t *message, uint32_t size, uint32_t *at, struct shb_unit *unit)
{
    uint32_t start, end;

    while (*at < size && (is_blank(message[*at]) || message[*at] == ';'))
        (*at)++;
    if (*at >= size)
        return false;
    start = *at;
    while (*at < size && !is_blank(message[*at]) && message[*at] != ';')
        if (message[(*at)++] == ',')
            break; /* no header has one, and a block may hide behind it */
    end = *at;
    unit->is_query = message[end - 1] == '?';
    if (unit->is_query)
        end--;
    if (end > start && message[start] == ':')
        start++;
    unit->header = message + start;
    unit->header_size = end - start;
    unit->count = 0;
    unit->fault = take_parameters(message, size, at, unit);
    return true;
}

/* Whether text is keywords as manuals spell them ("SYSTem:ERRor"), each long or short. */
bool shb_matches(const uint8_t *text, uint32_t size, const char *keywords)
{
    uint32_t at = 0;

    for (;;) {
        const char *k;
        uint32_t i = at, j = at;
        bool is_long = true, is_short = true;

        for (k = keywords; *k && *k != ':'; k++) {
            bool optional = *k >= 'a' && *k <= 'z';
            if (is_long && i < size && upper(text[i]) == upper((uint8_t)*k))
                i++;
            else
                is_long = false;
            if (!optional && is_short) {
                if (j < size && upper(text[j]) == (uint8_t)*k)
                    j++;
                else
                    is_short = false;
            }
        }
        is_long = is_long && (i == size || text[i] == ':');
        is_short = is_short && (j == size || text[j] == ':');
        if (!is_long && !is_short)
            return false;
        at = is_long ? i : j;
        if (!*k)
            return at == size;
        if (at == size)
            return false;
        at++;
        keywords = k + 1;
    }
}

int shb_whole(const struct shb_parameter *parameter, int32_t low, int32_t high, int32_t *value)
{
    uint32_t at = 0;
    int64_t sum = 0;
    bool negative;

    if (parameter->is_block)
        return -104;
    negative = parameter->size && parameter->data[0] == '-';
    if (negative || (parameter->size && parameter->data[0] == '+'))
        at = 1;
    if (parameter->size - at < 1 || parameter->size - at > 10)
        return -104;
    for (; at < parameter->size; at++) {
        if (parameter->data[at] < '0' || parameter->data[at] > '9')
            return -104;
        sum = 10 * sum + (parameter->data[at] - '0');
    }
    if (negative)
        sum = -sum;
    if (sum < low || sum > high)
        return -222;
    *value = (int32_t)sum;
    return 0;
}

/* The place of a word in a list, or an error. */
int shb_word(const struct shb_parameter *parameter, const char *const *words, uint8_t n)
{
    uint8_t i;

    if (parameter->is_block)
        return -104;
    for (i = 0; i < n; i++)
        if (shb_matches(parameter->data, parameter->size, words[i]))
            return i;
    return -224;
}

/* CRC-16/CCITT-FALSE: start with 0xFFFF. */
uint16_t shb_crc(uint16_t crc, const uint8_t *data, size_t size)
{
    size_t i;
    int bit;

    for (i = 0; i < size; i++) {
        crc = (uint16_t)(crc ^ (data[i] << 8));
        for (bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

/* The body of a block whose checksum agrees. */
int shb_body(const struct shb_parameter *parameter, const uint8_t **body, uint32_t *size)
{
    if (!parameter->is_block)
        return -104;
    if (parameter->size < 2 || shb_crc(0xFFFF, parameter->data, parameter->size) != 0)
        return 104;
    *body = parameter->data;
    *size = parameter->size - 2;
    return 0;
}

uint16_t shb_u16(const uint8_t *data) { return (uint16_t)(data[0] | data[1] << 8); }

uint32_t shb_u32(const uint8_t *data)
{
    return shb_u16(data) | (uint32_t)shb_u16(data + 2) << 16;
}

int16_t shb_i16(const uint8_t *data)
{
    uint16_t bits = shb_u16(data);

    return bits < 0x8000 ? (int16_t)bits : (int16_t)(bits - 0x10000);
}
