/* Simulated memory as a target of the embedded engine: sparse regions, and faults on demand.
 *
 * It is what scripts and this project's own tests try patches on without a process. The faults
 * reproduce what engines were seen to do, so that a caller's error handling can be tested.
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

/* Takes regions in ascending order that do not overlap (the caller checks), all zero at first.
 * Memory is allocated as pages are touched first. NULL when memory is short. */
embedded_target *simulated_create(const simulated_region *regions, size_t count,
                                  uint32_t pointer_size);

/* Is this target a simulated one? */
bool is_simulated(const embedded_target *embedded);

/* Faults. Each takes a target for which is_simulated() holds. */

/* Access to the byte at `address` works `after` more times and fails from then on (a write with
 * ERROR_WRITE_FAULT, a read with ERROR_READ_FAULT). False when memory is short. */
bool simulated_fail_at(embedded_target *embedded, uint64_t address, uint64_t after, bool writes,
                       bool reads);

/* Writes of the byte at `address` succeed from now on and leave it as it is: as where something
 * else writes it back at once. False when memory is short. */
bool simulated_lose_at(embedded_target *embedded, uint64_t address);

/* No single transfer moves more than `bytes`; 0 takes the limit away. A bulk write then comes out
 * short, as WriteVirtual may; a single pointer still goes whole. */
void simulated_limit_transfers(embedded_target *embedded, uint64_t bytes);

/* The target runs and refuses every access (true), or stops again (false). */
void simulated_run(embedded_target *embedded, bool running);

/* The target has gone, for good: its memory is freed. */
void simulated_vanish(embedded_target *embedded);

/* Takes all of fail_at, lose_at and limit_transfers away. */
void simulated_clear_faults(embedded_target *embedded);

#endif
