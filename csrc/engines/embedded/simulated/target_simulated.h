/* Simulated memory as a target of the embedded engine: sparse regions, and faults on demand.
 *
 * Scripts and this project's tests use it to try patches without a process. The faults reproduce
 * behaviour observed in engines, so that a caller's error handling can be tested.
 */
#ifndef PYDBGWRITE_ENGINES_EMBEDDED_SIMULATED_TARGET_SIMULATED_H
#define PYDBGWRITE_ENGINES_EMBEDDED_SIMULATED_TARGET_SIMULATED_H

#include "../target.h"

typedef enum simulated_protection {
    SIMULATED_NONE = 0, /* can be neither read nor written */
    SIMULATED_READ = 1,
    SIMULATED_READ_WRITE = 2,
} simulated_protection;

typedef struct simulated_region {
    uint64_t base;
    uint64_t size; /* bytes, above 0; base + size - 1 does not wrap */
    simulated_protection protection;
} simulated_region;

/* Takes regions in ascending order that do not overlap (the caller checks). All bytes are zero at
 * first. Memory is allocated when it is first written. NULL if memory is short. */
embedded_target *simulated_create(const simulated_region *regions, size_t count,
                                  uint32_t pointer_size);

/* True if this is a simulated target. */
bool is_simulated(const embedded_target *embedded);

/* Faults. Each function takes a target for which is_simulated() is true. */

/* Access to the byte at `address` succeeds `after` more times and then fails (a write with
 * ERROR_WRITE_FAULT, a read with ERROR_READ_FAULT). False if memory is short. */
bool simulated_fail_at(embedded_target *embedded, uint64_t address, uint64_t after, bool writes,
                       bool reads);

/* Writes of the byte at `address` succeed from now on but leave it unchanged, as if another writer
 * restored it at once. False if memory is short. */
bool simulated_lose_at(embedded_target *embedded, uint64_t address);

/* No single transfer moves more than `bytes`; 0 removes the limit. A bulk write then ends early, as
 * WriteVirtual may; a single pointer is still written whole. */
void simulated_limit_transfers(embedded_target *embedded, uint64_t bytes);

/* The target runs and refuses every access (true), or stops again (false). */
void simulated_run(embedded_target *embedded, bool running);

/* Ends the target permanently: its memory is freed. */
void simulated_vanish(embedded_target *embedded);

/* Removes all faults set by fail_at, lose_at and limit_transfers. */
void simulated_clear_faults(embedded_target *embedded);

#endif
