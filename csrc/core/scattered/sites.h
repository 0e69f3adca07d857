/* The contents that scattered values leave in the target together, if several cover the same bytes.
 */
#ifndef PYDBGWRITE_CORE_SCATTERED_SITES_H
#define PYDBGWRITE_CORE_SCATTERED_SITES_H

#include "../differences.h"
#include "job.h"

/* Counts the leading elements of from..from+count-1 that the target holds. False: the count is
 * unknown, since the target no longer answers, or memory (32 bytes an element) is short. */
bool scattered_count(const scattered_job *job, uint64_t from, uint64_t count, uint64_t *landed);

/* Compares all elements in the target with the contents that they leave there together, in order of
 * address. job->error reports that an address can't be read, or that memory is short. */
void scattered_differences(const scattered_job *job, core_differences *found);

#endif
