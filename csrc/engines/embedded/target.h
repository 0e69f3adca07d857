/* The operations that the embedded engine needs from a target: simulated memory or a live Linux
 * process.
 *
 * The engine's COM objects (client.c, control.c, data_spaces.c) own one target. They pass it whole
 * ranges that do not wrap past 2^64, and translate its results into Microsoft's contract.
 */
#ifndef PYDBGWRITE_EMBEDDED_TARGET_H
#define PYDBGWRITE_EMBEDDED_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../com/hresult.h"
#include "../../com/pointer_scatter.h"
#include "../../com/types.h"

typedef struct embedded_target embedded_target;

typedef struct embedded_target_operations {
    /* S_OK while memory can be read and written; E_UNEXPECTED while it can't: the target runs and
     * refuses access, has ended, or is detached. It is cheap, since every engine call calls it
     * first. */
    HRESULT (*accessible)(embedded_target *self);

    /* Move bytes in ascending order up to the first that can't be moved; *moved is the number of
     * bytes moved. S_OK only if all were moved; otherwise the HRESULT is the reason why the byte at
     * address + *moved was not (E_UNEXPECTED: the target has ended). size is above 0; address +
     * size - 1 does not wrap. */
    HRESULT(*read)
    (embedded_target *self, uint64_t address, void *data, size_t size, size_t *moved);
    HRESULT(*write)
    (embedded_target *self, uint64_t address, const void *data, size_t size, size_t *moved);

    /* Describe the run of equal pages from the page of address on (QueryVirtual's contract): base
     * and size begin at that page, not at the beginning of the run. A gap is MEM_FREE, and so is
     * the space between the last region and the end of user space. E_NOINTERFACE past that. */
    HRESULT (*query)(embedded_target *self, uint64_t address, MEMORY_BASIC_INFORMATION64 *info);

    /* Move many ranges, with the contract and result of IPointerScatter; NULL if no way is faster
     * than one range after the other. */
    HRESULT(*move_ranges)
    (embedded_target *self, bool writing, const pointer_range *ranges, size_t count, size_t *done);

    /* Write leading pointers, as IPointerScatter's WriteNarrowPointers; NULL if no way is faster
     * than write(). */
    size_t (*write_narrow)(embedded_target *self, uint64_t address, const void *pointers,
                           size_t count, bool check);

    /* Return how many leading bytes are known to equal these, as IPointerScatter's CountEqualBytes;
     * NULL likewise. */
    size_t (*count_equal)(embedded_target *self, uint64_t address, const void *data, size_t size);

    /* IPointerScatter's ShareByPages; NULL if all is done by the caller's thread. */
    HRESULT (*share)(embedded_target *self, const shared_work *work, uint64_t *done);

    /* As IPointerScatter's BeginAside and EndAside; NULL if no other thread can help. */
    HRESULT (*begin_aside)(embedded_target *self, void (*function)(void *), void *context);
    void (*end_aside)(embedded_target *self);

    /* As IPointerScatter's FindPart. */
    HRESULT(*find_part)
    (embedded_target *self, uint64_t address, uint64_t end, bool zeros, pointer_part *part);
    /* As IPointerScatter's ReadBlocks; NULL if all is read by read(). */
    HRESULT(*read_blocks)
    (embedded_target *self, const pointer_block *blocks, size_t count, pointer_block_taker take,
     void *context);

    /* IPointerScatter's GetSpanRegion. */
    HRESULT (*span_region)(embedded_target *self, uint64_t address, uint64_t *end);

    /* Detach from the target and leave it in the state in which it was found. Afterwards
     * accessible() returns E_UNEXPECTED. Both functions may be called again, from any thread; then
     * they do nothing and return S_OK. */
    HRESULT (*detach)(embedded_target *self);
    HRESULT (*terminate)(embedded_target *self);

    /* Detach unless that has been done, and free. */
    void (*destroy)(embedded_target *self);
} embedded_target_operations;

struct embedded_target {
    const embedded_target_operations *operations;
    uint32_t pointer_size; /* of the target: 4 or 8 bytes */
    uint32_t page_size;
    uint32_t granule;    /* access can change only at multiples of this: the page size of a process,
                          * 1 for simulated regions of any size */
    uint32_t process_id; /* 0 if there is no process */
    bool (*goes_on)(void); /* called while waiting for the kernel; NULL: wait */
    bool interrupted;      /* goes_on() returned false: no wait until the session's next call */
    bool stopped;          /* none of its threads runs while it is held */
};

/* A call without chunks checks for Ctrl-C after this many bytes: some 50 ms of work. */
#define EMBEDDED_ASK_BYTES (UINT64_C(32) << 20)

/* Counts bytes of such a call. False: the call must end, with E_ABORT. */
static inline bool embedded_goes_on(embedded_target *self, uint64_t *unasked, uint64_t bytes)
{
    *unasked += bytes;
    if (*unasked >= EMBEDDED_ASK_BYTES) {
        *unasked = 0;
        self->interrupted = self->goes_on != NULL && !self->goes_on();
    }
    return !self->interrupted;
}

static inline HRESULT embedded_accessible(embedded_target *self)
{
    return self->operations->accessible(self);
}

static inline HRESULT embedded_read(embedded_target *self, uint64_t address, void *data,
                                    size_t size, size_t *moved)
{
    return self->operations->read(self, address, data, size, moved);
}

static inline HRESULT embedded_write(embedded_target *self, uint64_t address, const void *data,
                                     size_t size, size_t *moved)
{
    return self->operations->write(self, address, data, size, moved);
}

#endif
