/* Scattered pointers of a stopped target, in the order of pages. */
#ifndef PYDBGWRITE_CORE_SCATTERED_SORTED_H
#define PYDBGWRITE_CORE_SCATTERED_SORTED_H

#include "job.h"

/* This many elements are sorted at a time; the memory for it is 32 bytes an element. */
#define CORE_SORTED_AT_ONCE (UINT64_C(1) << 21)

typedef enum sorted_outcome {
    SORTED_DONE,
    SORTED_STOPPED, /* the step stopped the work; job->error says so too */
    SORTED_FAILED,  /* a call failed: a retry in the caller's order finds which */
} sorted_outcome;

/* Memory for the sort, of a job that has begun; NULL if memory is short. */
typedef struct sorted_pages sorted_pages;
sorted_pages *scattered_sorted_create(uint64_t count, const scattered_job *job);
void scattered_sorted_free(sorted_pages *pages);

/* Moves elements from..from+count-1. */
sorted_outcome scattered_sorted(scattered_job *job, uint64_t from, uint64_t count,
                                sorted_pages *pages);

#endif
