/* The functions shared by a tracer and its owner: the tracer's failure, and the events of the
 * channel. */
#include "tracing.h"

#include <errno.h>
#include <unistd.h>

bool linux_tracer_fail(linux_tracer *self, linux_open_failure failure, const char *operation,
                       int os_error, int64_t detail)
{
    self->error.failure = failure;
    self->error.operation = operation;
    self->error.os_error = os_error;
    self->error.detail = detail;
    return false;
}

void linux_event_ring(int event)
{
    uint64_t one = 1;

    while (write(event, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void linux_event_hush(int event)
{
    uint64_t count;

    while (read(event, &count, sizeof count) < 0 && errno == EINTR) {
    }
}
