/* The ranges of one call of process_vm_readv or process_vm_writev; see vectors.h. */
#define _GNU_SOURCE 1
#include "vectors.h"

void linux_vectors_add(linux_vectors *self, const pointer_range *range)
{
    struct iovec *last = self->local_count == 0 ? NULL : &self->local[self->local_count - 1];

    self->remote[self->count].iov_base = (void *)(uintptr_t)range->Offset;
    self->remote[self->count].iov_len = (size_t)range->Size;
    if (last != NULL && (char *)last->iov_base + last->iov_len == (char *)range->Data) {
        last->iov_len += (size_t)range->Size;
    } else {
        self->local[self->local_count].iov_base = range->Data;
        self->local[self->local_count].iov_len = (size_t)range->Size;
        self->local_count++;
    }
    self->bytes += range->Size;
    self->count++;
}

ssize_t linux_vectors_move(const linux_vectors *self, pid_t process, bool writing)
{
    return writing ? process_vm_writev(process, self->local, self->local_count, self->remote,
                                       self->count, 0)
                   : process_vm_readv(process, self->local, self->local_count, self->remote,
                                      self->count, 0);
}
