/* What scattered values leave in the target together, where several cover the same bytes. */
#ifndef PYDBGWRITE_CORE_SCATTERED_SITES_H
#define PYDBGWRITE_CORE_SCATTERED_SITES_H

#include "../differences.h"
#include "job.h"

/* How many of the elements from..from+count-1 the target holds, from the first on. False: nobody
 * knows, for the target no longer answers, or memory (32 bytes an element) is short. */
bool scattered_count(const scattered_job *job, uint64_t from, uint64_t count, uint64_t *landed);

/* Compares all elements as they lie in the target with what they leave there together, in order of
 * address. job->error says so where an address can't be read, or memory is short. */
void scattered_differences(const scattered_job *job, core_differences *found);

#endif
