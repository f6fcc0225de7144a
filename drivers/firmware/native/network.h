/* A network of integers for the native port; nothing physical. */
#ifndef SHB_NETWORK_H
#define SHB_NETWORK_H

#include <stdint.h>

/* The interlock opens for good after so many pulses and holds; below 0: never. */
extern int32_t network_opens_after;

#endif
