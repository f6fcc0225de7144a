/* The core on a desk: standard input and output, or a pseudo-terminal.
 *
 *   shboard [--pty] [--clock FILE] [--opens-after N]
 *
 * --pty prints the name of the terminal to open and serves it until SIGTERM. For tests: --clock
 * takes milliseconds and the interlock (1: open) from a file of little-endian 32-bit numbers, waits
 * for nothing, and writes behind them how many bytes it has sent and how many it has dealt with;
 * --opens-after opens the interlock after N pulses and holds. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../shb.h"
#include "../shb_hal.h"
#include "network.h"

static int in = STDIN_FILENO, out = STDOUT_FILENO, clock_file = -1;
static uint32_t n_sent, n_received;
static volatile sig_atomic_t stopping;

static void stop(int number)
{
    (void)number;
    stopping = 1;
}

static uint32_t from_clock_file(off_t offset)
{
    uint8_t data[4] = {0, 0, 0, 0};

    if (pread(clock_file, data, sizeof data, offset) != (ssize_t)sizeof data)
        return 0;
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

static void to_clock_file(off_t offset, uint32_t value)
{
    uint8_t data[4], i;

    for (i = 0; i < 4; i++)
        data[i] = (uint8_t)(value >> (8 * i) & 0xFF);
    if (clock_file >= 0 && pwrite(clock_file, data, sizeof data, offset) != (ssize_t)sizeof data)
        stopping = 1;
}

uint32_t hal_now_ms(void)
{
    struct timespec now;

    if (clock_file >= 0)
        return from_clock_file(0);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

bool hal_interlock_closed(void)
{
    return network_opens_after != 0 && (clock_file < 0 || from_clock_file(4) == 0);
}

void hal_wait_us(uint32_t us)
{
    struct timespec time;

    if (clock_file >= 0 || us == 0)
        return;
    time.tv_sec = us / 1000000;
    time.tv_nsec = (long)(us % 1000000) * 1000;
    nanosleep(&time, NULL);
}

void hal_write(const uint8_t *data, size_t size)
{
    while (size && !stopping) {
        ssize_t written = write(out, data, size);
        if (written > 0) {
            data += written;
            n_sent += (uint32_t)written;
            size -= (size_t)written;
        } else if (errno != EINTR) {
            return;
        }
    }
}

/* A raw pseudo-terminal, its other end kept open so that clients may come and go. */
static int open_terminal(void)
{
    struct termios mode;
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
    const char *name;

    if (master < 0 || grantpt(master) || unlockpt(master) || !(name = ptsname(master)))
        return -1;
    slave = open(name, O_RDWR | O_NOCTTY);
    if (slave < 0 || tcgetattr(slave, &mode))
        return -1;
    mode.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
    mode.c_oflag &= ~(tcflag_t)OPOST;
    mode.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    mode.c_cflag = (mode.c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
    if (tcsetattr(slave, TCSANOW, &mode))
        return -1;
    printf("%s\n", name);
    fflush(stdout);
    in = out = master;
    return 0;
}

static int options(int count, char **words)
{
    int i, pty = 0;

    for (i = 1; i < count; i++) {
        if (!strcmp(words[i], "--pty"))
            pty = 1;
        else if (!strcmp(words[i], "--clock") && i + 1 < count)
            clock_file = open(words[++i], O_RDWR);
        else if (!strcmp(words[i], "--opens-after") && i + 1 < count)
            network_opens_after = (int32_t)strtol(words[++i], NULL, 10);
        else
            return -1;
    }
    return pty ? open_terminal() : 0;
}

int main(int count, char **words)
{
    static uint8_t data[4096];
    struct sigaction action;
    struct pollfd waiting;

    if (options(count, words)) {
        fprintf(stderr, "usage: %s [--pty] [--clock FILE] [--opens-after N]\n", words[0]);
        return 2;
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = stop;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    shb_init();
    waiting.fd = in;
    waiting.events = POLLIN;
    while (!stopping) {
        int ready = poll(&waiting, 1, 10);
        if (ready > 0) {
            ssize_t size = read(in, data, sizeof data);
            if (size == 0)
                break;
            if (size > 0) {
                shb_receive(data, (size_t)size);
                n_received += (uint32_t)size;
                to_clock_file(8, n_sent);
                to_clock_file(12, n_received);
            }
        } else {
            shb_poll();
        }
    }
    shb_safe();
    return 0;
}
