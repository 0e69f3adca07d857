/* Simulated memory as a target: regions of bytes, looked up by address, with injected faults. */
#include "target_simulated.h"

#include <stdlib.h>
#include <string.h>

#include "sparse_memory.h"

#define SIMULATED_PAGE 4096u

typedef struct fault {
    uint64_t address;
    uint64_t passes; /* how many more accesses succeed */
    bool writes;
    bool reads;
    bool loses;         /* a write of the byte succeeds and changes nothing */
    unsigned char held; /* the value of the byte, during such a write */
} fault;

typedef struct simulated_target {
    embedded_target base;
    simulated_region *regions;
    sparse_memory bytes;
    size_t region_count;
    size_t last_used; /* the region of the last look-up: patches are close together */
    fault *faults;
    size_t fault_count;
    uint64_t transfer_limit;
    bool running;
    bool gone;
} simulated_target;

static simulated_target *simulated_of(embedded_target *embedded)
{
    return (simulated_target *)(void *)embedded;
}

static void free_regions(simulated_target *self)
{
    sparse_memory_free(&self->bytes);
    free(self->regions);
    self->regions = NULL;
    self->region_count = 0;
    self->last_used = 0;
}

/* Returns the index of the first region that ends at or after `address`; region_count if there is
 * none. */
static size_t region_at_or_after(simulated_target *self, uint64_t address)
{
    size_t low = 0, high = self->region_count;

    if (self->last_used < self->region_count) {
        const simulated_region *last = &self->regions[self->last_used];

        if (address >= last->base && address - last->base < last->size) {
            low = high = self->last_used;
        }
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const simulated_region *place = &self->regions[middle];

        if (place->base + (place->size - 1) < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    self->last_used = low;
    return low;
}

/* Returns the region that contains `address`, or NULL. */
static const simulated_region *region_of(simulated_target *self, uint64_t address)
{
    size_t index = region_at_or_after(self, address);
    const simulated_region *found = NULL;

    if (index < self->region_count && self->regions[index].base <= address) {
        found = &self->regions[index];
    }
    return found;
}

/* Returns how many of `size` bytes from `address` on come before the first fault that is due now.
 * Decrements the counters of the faults whose byte would be moved. */
static size_t bytes_before_fault(simulated_target *self, uint64_t address, size_t size, bool write)
{
    size_t allowed = size;

    for (size_t i = 0; i < self->fault_count; i++) {
        fault *one = &self->faults[i];
        bool concerns = write ? one->writes : one->reads;

        if (concerns && one->address >= address && one->address - address < allowed &&
            one->passes == 0) {
            allowed = (size_t)(one->address - address);
        }
    }
    for (size_t i = 0; i < self->fault_count; i++) {
        fault *one = &self->faults[i];
        bool concerns = write ? one->writes : one->reads;

        if (concerns && one->address >= address && one->address - address < allowed) {
            one->passes--;
        }
    }
    return allowed;
}

static HRESULT simulated_accessible(embedded_target *embedded)
{
    simulated_target *self = simulated_of(embedded);

    return self->running || self->gone ? E_UNEXPECTED : S_OK;
}

static HRESULT simulated_move(simulated_target *self, uint64_t address, unsigned char *data,
                              size_t size, size_t *moved, bool write)
{
    HRESULT status = simulated_accessible(&self->base);
    simulated_protection needed = write ? SIMULATED_READ_WRITE : SIMULATED_READ;
    size_t allowed = size;

    *moved = 0;
    if (status == S_OK) {
        /* A transfer limit shortens bulk transfers, never a pointer. */
        if (self->transfer_limit > 0 && allowed > 8 && allowed > self->transfer_limit) {
            allowed = (size_t)self->transfer_limit;
        }
        allowed = bytes_before_fault(self, address, allowed, write);
    }
    while (status == S_OK && *moved < allowed) {
        uint64_t at = address + *moved;
        const simulated_region *place = region_of(self, at);
        uint64_t run;

        if (place == NULL) {
            status = write ? HR_INVALID_ADDRESS : HR_READ_FAULT;
        } else if (place->protection < needed) {
            status = write ? HR_ACCESS_DENIED : HR_READ_FAULT;
        } else {
            run = SPARSE_BLOCK_BYTES - at % SPARSE_BLOCK_BYTES;
            if (run > place->size - (at - place->base)) {
                run = place->size - (at - place->base);
            }
            if (run > allowed - *moved) {
                run = allowed - *moved;
            }
            if (!write) {
                sparse_memory_read(&self->bytes, at, data + *moved, (size_t)run);
            } else if (!sparse_memory_write(&self->bytes, at, data + *moved, (size_t)run)) {
                status = E_OUTOFMEMORY;
            }
            *moved += status == S_OK ? (size_t)run : 0;
        }
    }
    if (status == S_OK && *moved < size) {
        status = write ? HR_WRITE_FAULT : HR_READ_FAULT;
    }
    return status;
}

static HRESULT simulated_read(embedded_target *embedded, uint64_t address, void *data, size_t size,
                              size_t *moved)
{
    return simulated_move(simulated_of(embedded), address, data, size, moved, false);
}

/* Saves the bytes that a write of `size` bytes will lose, or restores them. */
static void keep_lost(simulated_target *self, uint64_t address, size_t size, bool back)
{
    for (size_t i = 0; i < self->fault_count; i++) {
        fault *one = &self->faults[i];

        if (one->loses && one->address >= address && one->address - address < size) {
            if (back) { /* the write has allocated the block: this can't fail */
                (void)sparse_memory_write(&self->bytes, one->address, &one->held, 1);
            } else {
                sparse_memory_read(&self->bytes, one->address, &one->held, 1);
            }
        }
    }
}

static HRESULT simulated_write(embedded_target *embedded, uint64_t address, const void *data,
                               size_t size, size_t *moved)
{
    simulated_target *self = simulated_of(embedded);
    HRESULT status;

    if (self->fault_count > 0) {
        keep_lost(self, address, size, false);
    }
    /* simulated_move only reads from `data` when it writes. */
    status = simulated_move(self, address, (unsigned char *)(uintptr_t)data, size, moved, true);
    if (self->fault_count > 0) {
        keep_lost(self, address, *moved, true);
    }
    return status;
}

/* Returns the first address past user space: that of 64-bit Windows, or 2^32 for a 32-bit target.
 * Regions may lie above it. */
static uint64_t user_space_end(const embedded_target *embedded)
{
    return embedded->pointer_size == 8 ? UINT64_C(0x7fffffff0000) : UINT64_C(1) << 32;
}

static HRESULT simulated_query(embedded_target *embedded, uint64_t address,
                               MEMORY_BASIC_INFORMATION64 *info)
{
    static const ULONG protections[] = {PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE};
    simulated_target *self = simulated_of(embedded);
    size_t index = region_at_or_after(self, address);
    uint64_t start = address - address % SIMULATED_PAGE;
    HRESULT status = S_OK;

    memset(info, 0, sizeof *info);
    if (index < self->region_count && self->regions[index].base <= address) {
        const simulated_region *place = &self->regions[index];

        start = start < place->base ? place->base : start; /* a region may begin inside a page */
        info->BaseAddress = start;
        info->AllocationBase = place->base;
        info->RegionSize = place->size - (start - place->base);
        info->State = MEM_COMMIT;
        info->Type = MEM_PRIVATE;
        info->Protect = protections[place->protection];
        info->AllocationProtect = info->Protect;
    } else if (index < self->region_count || address < user_space_end(embedded)) {
        uint64_t end = index < self->region_count ? self->regions[index].base : 0;
        uint64_t below = 0;

        if (index > 0) {
            below = self->regions[index - 1].base + self->regions[index - 1].size;
        }
        start = start < below ? below : start;
        info->BaseAddress = start;
        info->RegionSize = (end == 0 ? user_space_end(embedded) : end) - start;
        info->State = MEM_FREE;
        info->Protect = PAGE_NOACCESS;
    } else {
        status = E_NOINTERFACE; /* past user space, as dbgeng returns */
    }
    return status;
}

/* Only the session accesses simulated memory. */
static HRESULT simulated_span_region(embedded_target *embedded, uint64_t address, uint64_t *end)
{
    simulated_target *self = simulated_of(embedded);
    size_t index = region_at_or_after(self, address);
    HRESULT status = S_FALSE;

    *end = 0;
    if (index < self->region_count) {
        const simulated_region *place = &self->regions[index];

        *end = place->base;
        if (place->base <= address) {
            *end = place->base + place->size; /* 0: the end of the address space */
            status = place->protection == SIMULATED_READ_WRITE ? S_OK : S_FALSE;
        }
    }
    return status;
}

/* Memory that was never written is left out unless zeros are wanted. A fault can be anywhere in it:
 * then all of it is read. */
static HRESULT simulated_find_part(embedded_target *embedded, uint64_t address, uint64_t end,
                                   bool zeros, pointer_part *part)
{
    simulated_target *self = simulated_of(embedded);
    bool whole = zeros || self->fault_count > 0;
    uint64_t at = address;
    bool found = false;

    while (!found && at < end) {
        size_t index = region_at_or_after(self, at);
        uint64_t base = index < self->region_count ? self->regions[index].base : end;

        if (base > at) {
            *part = (pointer_part){at, base < end ? base : end, POINTER_PART_UNREADABLE};
            found = true;
        } else {
            const simulated_region *place = &self->regions[index];
            uint64_t region_last = base + (place->size - 1);
            uint64_t behind = region_last < end - 1 ? region_last + 1 : end;
            uint64_t first = at, last = UINT64_MAX;

            if (place->protection == SIMULATED_NONE) {
                *part = (pointer_part){at, behind, POINTER_PART_UNREADABLE};
                found = true;
            } else if ((whole || sparse_memory_find(&self->bytes, at, &first, &last)) &&
                       first < behind) {
                *part = (pointer_part){first, last < behind - 1 ? last + 1 : behind,
                                       POINTER_PART_PLAIN};
                found = true;
            }
            at = behind;
        }
    }
    return found ? S_OK : S_FALSE;
}

void simulated_vanish(embedded_target *embedded)
{
    simulated_target *self = simulated_of(embedded);

    self->gone = true;
    free_regions(self);
}

static HRESULT simulated_let_go(embedded_target *embedded)
{
    simulated_vanish(embedded);
    return S_OK;
}

static void simulated_destroy(embedded_target *embedded)
{
    simulated_target *self = simulated_of(embedded);

    free_regions(self);
    free(self->faults);
    free(self);
}

static bool add_fault(simulated_target *self, const fault *added)
{
    fault *grown = realloc(self->faults, (self->fault_count + 1) * sizeof *grown);

    if (grown != NULL) {
        self->faults = grown;
        grown[self->fault_count] = *added;
        self->fault_count++;
    }
    return grown != NULL;
}

bool simulated_fail_at(embedded_target *embedded, uint64_t address, uint64_t after, bool writes,
                       bool reads)
{
    fault added = {.address = address, .passes = after, .writes = writes, .reads = reads};

    return add_fault(simulated_of(embedded), &added);
}

bool simulated_lose_at(embedded_target *embedded, uint64_t address)
{
    fault added = {.address = address, .loses = true};

    return add_fault(simulated_of(embedded), &added);
}

void simulated_limit_transfers(embedded_target *embedded, uint64_t bytes)
{
    simulated_of(embedded)->transfer_limit = bytes;
}

void simulated_run(embedded_target *embedded, bool running)
{
    simulated_of(embedded)->running = running;
}

void simulated_clear_faults(embedded_target *embedded)
{
    simulated_target *self = simulated_of(embedded);

    free(self->faults);
    self->faults = NULL;
    self->fault_count = 0;
    self->transfer_limit = 0;
}

static const embedded_target_operations simulated_operations = {
    .accessible = simulated_accessible,
    .read = simulated_read,
    .write = simulated_write,
    .query = simulated_query,
    .find_part = simulated_find_part,
    .span_region = simulated_span_region,
    .detach = simulated_let_go,
    .terminate = simulated_let_go,
    .destroy = simulated_destroy,
};

embedded_target *simulated_create(const simulated_region *regions, size_t count,
                                  uint32_t pointer_size)
{
    simulated_target *self = calloc(1, sizeof *self);
    embedded_target *created = NULL;

    if (self != NULL && count > 0) {
        self->regions = calloc(count, sizeof *self->regions);
    }
    if (self != NULL && (count == 0 || self->regions != NULL)) {
        if (count > 0) {
            memcpy(self->regions, regions, count * sizeof *regions);
        }
        self->region_count = count;
        self->base.operations = &simulated_operations;
        self->base.pointer_size = pointer_size;
        self->base.page_size = SIMULATED_PAGE;
        self->base.granule = 1;
        self->base.stopped = true;
        created = &self->base;
    } else {
        free(self);
    }
    return created;
}

bool is_simulated(const embedded_target *embedded)
{
    return embedded->operations == &simulated_operations;
}
