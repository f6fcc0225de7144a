/* What a board has. A lab edits this file, or defines the names for the compiler. */
#ifndef SHB_CONFIG_H
#define SHB_CONFIG_H

#ifndef SHB_INPUTS
#define SHB_INPUTS 4 /* input DACs */
#endif
#ifndef SHB_OUTPUTS
#define SHB_OUTPUTS 2 /* nudge current sources */
#endif
#ifndef SHB_NODES
#define SHB_NODES 5 /* nodes with holds */
#endif
#ifndef SHB_ARRAYS /* rows and columns of each array of devices */
#define SHB_ARRAYS {4, 5}
#define SHB_N_ARRAYS 1
#define SHB_DEVICES 20 /* of all arrays */
#endif
#ifndef SHB_QUEUE
#define SHB_QUEUE 8 /* examples of a run */
#endif
#ifndef SHB_MESSAGE_BYTES
#define SHB_MESSAGE_BYTES 512 /* longest message, its line feed not counted */
#endif
#ifndef SHB_SERIAL
#define SHB_SERIAL "000000"
#endif

#ifndef SHB_DAC_BITS
#define SHB_DAC_BITS 16
#define SHB_DAC_MICROVOLTS 5000000 /* at the largest code */
#endif
#ifndef SHB_NUDGE_BITS
#define SHB_NUDGE_BITS 16
#define SHB_NUDGE_PICOAMPS 100000000
#endif
#ifndef SHB_ADC_BITS
#define SHB_ADC_BITS 16
#define SHB_ADC_MICROVOLTS 5000000
#endif
#ifndef SHB_PROGRAM_BITS
#define SHB_PROGRAM_BITS 12
#define SHB_PROGRAM_MICROVOLTS 5000000
#endif
#ifndef SHB_COMPARATORS
#define SHB_COMPARATORS 1 /* one a device, or none (0) */
#endif
#ifndef SHB_SCHEMES
#define SHB_SCHEMES 7 /* bits: 1 V/2, 2 V/3, 4 1T1R gates */
#endif

#endif
