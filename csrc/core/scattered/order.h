/* Scattered pointers in the caller's order, runs of neighbours as one range. */
#ifndef PYDBGWRITE_CORE_SCATTERED_ORDER_H
#define PYDBGWRITE_CORE_SCATTERED_ORDER_H

#include "job.h"

/* Memory for the moves; NULL if memory is short. */
typedef struct ordered_scratch ordered_scratch;
ordered_scratch *scattered_ordered_create(void);
void scattered_ordered_free(ordered_scratch *scratch);

/* Move elements from..from+count-1. After a failure error->done counts all elements before the
 * failing engine call. */
bool scattered_write_ordered(scattered_job *job, uint64_t from, uint64_t count,
                             ordered_scratch *scratch);
bool scattered_read_ordered(scattered_job *job, uint64_t from, uint64_t count,
                            ordered_scratch *scratch);

#endif
