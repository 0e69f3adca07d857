/* Searching a target's memory for words; see search.h.
 *
 * The ranges are cut into blocks. The embedded engine reads many blocks at a time on all idle
 * processors, and each thread searches what it has just read, in its own cache. Every other engine,
 * and memory whose reading may wait, is read block by block with ReadVirtual.
 */
#include "search.h"

#include <stdlib.h>
#include <string.h>

/* At most this many blocks at a time, 64 MiB: some 10 ms of work on two processors. */
#define BATCH 256u

/* After an unreadable byte the search continues at the next multiple of this, a word or more. */
#define USUAL_GRANULE 4096u
#define LEAST_GRANULE 8u

/* What was found in a block. */
typedef struct block_words {
    core_pairs pairs;
    size_t read; /* leading bytes of the block */
    bool short_of_memory;
} block_words;

typedef struct searching {
    const core_target *target;
    const core_search *search;
    const core_pace *pace;
    core_found *found;
    core_error *error;
    ULONG granule;
    uint64_t stepped; /* when step() was called last */
    uint64_t passed;  /* the sizes of earlier ranges */
    size_t count;     /* blocks of this batch */
    pointer_block blocks[BATCH];
    uint64_t ends[BATCH]; /* of the blocks, without the bytes that belong to the next one */
    uint64_t done[BATCH]; /* bytes of all ranges up to there */
    block_words words[BATCH];
    unsigned char room[POINTER_BLOCK_BYTES + POINTER_BLOCK_MORE];
} searching;

static bool grow(uint64_t **array, size_t room)
{
    uint64_t *larger =
        room > SIZE_MAX / sizeof *larger ? NULL : realloc(*array, room * sizeof *larger);

    if (larger != NULL) {
        *array = larger;
    }
    return larger != NULL;
}

static bool add(core_pairs *pairs, uint64_t first, uint64_t second)
{
    bool good = true;

    if (pairs->count == pairs->room) {
        size_t room = pairs->room == 0 ? 64 : pairs->room * 2;

        good = grow(&pairs->first, room) && grow(&pairs->second, room);
        pairs->room = good ? room : pairs->room;
    }
    if (good) {
        pairs->first[pairs->count] = first;
        pairs->second[pairs->count] = second;
        pairs->count++;
    }
    return good;
}

static void free_pairs(core_pairs *pairs)
{
    free(pairs->first);
    free(pairs->second);
    *pairs = (core_pairs){0};
}

void core_found_free(core_found *found)
{
    free_pairs(&found->words);
    free_pairs(&found->skipped);
}

static bool out_of_memory(searching *self)
{
    core_engine_error(self->error, "ReadVirtual", E_OUTOFMEMORY);
    return false;
}

/* Adds what could not be read; it continues the last such range if that is possible. */
static bool skip(searching *self, uint64_t start, uint64_t end)
{
    core_pairs *skipped = &self->found->skipped;
    size_t last = skipped->count - 1;

    if (skipped->count > 0 && skipped->first[last] + skipped->second[last] == start) {
        skipped->second[last] += end - start;
        return true;
    }
    return add(skipped, start, end - start) || out_of_memory(self);
}

/* Adds a found word. False: the limit is reached, or memory is short. */
static bool found_word(searching *self, uint64_t address, uint64_t word)
{
    if (self->found->words.count >= self->search->limit) {
        self->found->cut = true;
        return false;
    }
    return add(&self->found->words, address, word) || out_of_memory(self);
}

/* Searches bytes in the caller's memory that were read at `address`, a multiple of the step. */
static bool search_bytes(searching *self, uint64_t address, const unsigned char *data, size_t size)
{
    const search_words *words = self->search->words;
    size_t at = search_words_next(words, data, size, 0);

    while (at < size) {
        if (!found_word(self, address + at, search_words_load(words, data + at))) {
            return false;
        }
        at = search_words_next(words, data, size, at + words->bounds.step);
    }
    return true;
}

/* Takes a block that the engine has read; any thread. */
static void take_block(void *context, ULONG block, const void *data, size_t size)
{
    const searching *self = context;
    block_words *into = &((searching *)context)->words[block];
    const search_words *words = self->search->words;
    const unsigned char *bytes = data;
    uint64_t address = self->blocks[block].Offset;
    size_t at = search_words_next(words, bytes, size, 0);

    into->read = size;
    while (at < size && into->pairs.count <= self->search->limit && !into->short_of_memory) {
        into->short_of_memory =
            !add(&into->pairs, address + at, search_words_load(words, bytes + at));
        at = search_words_next(words, bytes, size, at + words->bounds.step);
    }
}

/* Reads leading bytes in this thread, into the room from `into` on. False: the target has ended. */
static bool read_plain(searching *self, uint64_t address, size_t size, size_t into, size_t *read)
{
    IDebugDataSpaces4 *spaces = self->target->data_spaces;
    HRESULT status = S_OK;
    ULONG moved = 1;

    *read = 0;
    while (*read < size && status == S_OK && moved > 0) {
        moved = 0;
        status = spaces->lpVtbl->ReadVirtual(spaces, address + *read, self->room + into + *read,
                                             (ULONG)(size - *read), &moved);
        *read += status == S_OK ? moved : 0;
    }
    if (status == E_UNEXPECTED || status == E_ABORT || status == E_OUTOFMEMORY) {
        core_engine_error(self->error, "ReadVirtual", status);
    }
    return self->error->status == CORE_OK;
}

/* Calls the pace's step if it was not called for a while. False: it stopped the work. */
static bool step(searching *self, uint64_t at)
{
    uint64_t now = self->pace->now_ns();

    self->error->done = at;
    if (now - self->stepped >= self->pace->chunk_ns / 2) {
        if (!self->pace->step(self->pace->context, at, self->error->count)) {
            self->error->status = CORE_STOPPED;
        }
        self->stepped = self->pace->now_ns();
    }
    return self->error->status == CORE_OK;
}

/* Searches a block, or the rest of one, with ReadVirtual. What can't be read is skipped, a granule
 * at a time. `unread`: the first byte is known to be unreadable. */
static bool search_plain(searching *self, const pointer_block *block, uint64_t end, size_t from,
                         bool unread)
{
    uint64_t at = block->Offset + from, last = block->Offset + (block->Size - 1);
    bool good = true;

    while (good && at < end) {
        size_t wanted = (size_t)(last - at) + 1, read = 0;

        if (!unread) {
            good =
                read_plain(self, at, wanted, 0, &read) && search_bytes(self, at, self->room, read);
        }
        unread = false;
        if (good && read < end - at) {
            uint64_t bad = at + read;
            uint64_t next = bad + (self->granule - bad % self->granule);

            next = next > end || next < bad ? end : next;
            good = skip(self, bad, next);
            at = next;
        } else {
            at = end;
        }
    }
    return good;
}

/* Returns whether words could lie in the bytes before and after `seam`, which is no multiple of
 * their size, or begin anywhere. */
static bool may_straddle(const searching *self, uint64_t seam)
{
    const search_bounds *bounds = &self->search->words->bounds;

    return bounds->step < bounds->width || seam % bounds->width != 0;
}

/* Adds what was found in the blocks of a batch, in their order, and reads the others. */
static bool gather(searching *self)
{
    bool good = true;

    for (size_t i = 0; i < self->count; i++) {
        const pointer_block *block = &self->blocks[i];
        block_words *words = &self->words[i];

        good = good && (!words->short_of_memory || out_of_memory(self));
        for (size_t k = 0; good && k < words->pairs.count; k++) {
            good = found_word(self, words->pairs.first[k], words->pairs.second[k]);
        }
        if (good && words->read < self->ends[i] - block->Offset) {
            good = search_plain(self, block, self->ends[i], words->read, !block->Plain);
        }
        good = good && step(self, self->done[i]);
        free_pairs(&words->pairs);
    }
    return good;
}

/* Searches the blocks that are waiting. */
static bool search_batch(searching *self)
{
    IPointerScatter *scatter = self->target->scatter;
    bool any = false;
    HRESULT status = S_OK;

    memset(self->words, 0, self->count * sizeof *self->words);
    for (size_t i = 0; i < self->count; i++) {
        any = any || !self->blocks[i].Plain;
    }
    if (any) {
        status = scatter->lpVtbl->ReadBlocks(scatter, (ULONG)self->count, self->blocks, take_block,
                                             self);
    }
    if (status != S_OK) {
        core_engine_error(self->error, "ReadVirtual", status);
    }
    any = gather(self) && status == S_OK;
    self->count = 0;
    return any;
}

/* What lies beside a part. */
typedef enum neighbour {
    UNREADABLE,
    ZEROS, /* no part: memory that was never written, and that is not read */
    BYTES
} neighbour;

/* Searches the words that lie on both sides of the border between two parts of a range, which goes
 * from `start` to `last`. */
static bool search_seam(searching *self, uint64_t seam, const uint64_t range[2], neighbour before,
                        neighbour behind)
{
    const search_bounds *bounds = &self->search->words->bounds;
    uint64_t reach = bounds->width - 1, start = range[0], last = range[1];
    uint64_t from = seam - start > reach ? seam - reach : start;
    uint64_t to = last - seam >= reach ? seam + reach : last + 1; /* not included */
    size_t left, right, read = 0;

    from += (bounds->step - from % bounds->step) % bounds->step;
    if (from >= seam || !may_straddle(self, seam) || before == UNREADABLE || behind == UNREADABLE ||
        (before == ZEROS && behind == ZEROS)) {
        return true;
    }
    if (!search_batch(self)) { /* what lies before comes first */
        return false;
    }
    left = (size_t)(seam - from);
    right = (size_t)(to - seam);
    memset(self->room, 0, left + right);
    if (before == BYTES && behind == BYTES) {
        return read_plain(self, from, left + right, 0, &read) &&
               search_bytes(self, from, self->room, read);
    }
    if (before == BYTES) {
        return read_plain(self, from, left, 0, &read) &&
               (read < left || search_bytes(self, from, self->room, left + right));
    }
    return read_plain(self, seam, right, left, &read) &&
           search_bytes(self, from, self->room, left + read);
}

/* Adds the blocks of a part of the range that begins at `start`; searches them when there are
 * enough. */
static bool search_part(searching *self, const pointer_part *part, uint64_t start)
{
    const search_bounds *bounds = &self->search->words->bounds;
    uint64_t step_by = bounds->step, more = bounds->width - bounds->step;
    uint64_t at = part->Offset + (step_by - part->Offset % step_by) % step_by;
    bool good = true;

    while (good && at < part->End && at >= part->Offset) {
        uint64_t left = part->End - at;
        uint64_t size = left < POINTER_BLOCK_BYTES ? left : POINTER_BLOCK_BYTES;
        uint64_t whole = left - size < more ? left : size + more;

        self->blocks[self->count] =
            (pointer_block){at, (ULONG)whole, part->Kind == POINTER_PART_PLAIN};
        at += size;
        self->ends[self->count] = at;
        self->done[self->count] = self->passed + (at - start);
        self->count++;
        good = self->count < BATCH || search_batch(self);
    }
    return good;
}

/* Finds the next part of a range; without the interface all of it is one. False: there is none, or
 * the target has ended. */
static bool next_part(searching *self, uint64_t at, uint64_t end, pointer_part *part)
{
    IPointerScatter *scatter = self->target->scatter;
    HRESULT status = S_OK;

    if (scatter == NULL) {
        *part = (pointer_part){at, end, POINTER_PART_PLAIN};
    } else {
        status = scatter->lpVtbl->FindPart(scatter, at, end,
                                           search_words_wants(self->search->words, 0), part);
    }
    if (status != S_OK && status != S_FALSE) {
        core_engine_error(self->error, "ReadVirtual", status);
    }
    return status == S_OK;
}

/* Searches a range of at least one byte. If its last byte is the last of the address space, that
 * byte is left out: no program has a pointer there. */
static bool search_range(searching *self, uint64_t start, uint64_t size)
{
    uint64_t last = start + (size - 1);
    uint64_t end = last == UINT64_MAX ? last : last + 1;
    uint64_t range[2] = {start, end - 1};
    uint64_t at = start; /* where the last part ended */
    neighbour before = ZEROS;
    pointer_part part;
    bool good = true;

    while (good && at < end && next_part(self, at, end, &part)) {
        neighbour kind = part.Kind == POINTER_PART_UNREADABLE ? UNREADABLE : BYTES;

        if (part.Offset > at) {
            good = search_seam(self, at, range, before, ZEROS);
            before = ZEROS;
        }
        good =
            good && search_seam(self, part.Offset, range, before, kind) &&
            (kind == BYTES ? search_part(self, &part, start) : skip(self, part.Offset, part.End));
        at = part.End;
        before = kind;
        good = good && step(self, self->passed + (at - start));
    }
    return good && self->error->status == CORE_OK &&
           (at == end || search_seam(self, at, range, before, ZEROS));
}

bool core_search_run(const core_target *target, const core_search *search, const core_pace *pace,
                     core_found *found, core_error *error)
{
    searching *self = malloc(sizeof *self);
    bool good = true;

    memset(error, 0, sizeof *error);
    error->known = true;
    error->width = 1;
    if (self == NULL) {
        core_engine_error(error, "ReadVirtual", E_OUTOFMEMORY);
        goto done;
    }
    self->target = target;
    self->search = search;
    self->pace = pace;
    self->found = found;
    self->error = error;
    self->passed = 0;
    self->count = 0;
    self->stepped = pace->now_ns();
    self->granule = 0;
    if (target->scatter == NULL ||
        target->scatter->lpVtbl->GetGranule(target->scatter, &self->granule) != S_OK) {
        self->granule = USUAL_GRANULE;
    } else if (self->granule < LEAST_GRANULE) {
        self->granule = LEAST_GRANULE;
    }
    for (size_t i = 0; i < search->count; i++) {
        error->count += search->sizes[i];
    }
    for (size_t i = 0; good && i < search->count; i++) {
        error->at = error->address = search->starts[i];
        good = search_range(self, search->starts[i], search->sizes[i]);
        self->passed += search->sizes[i];
    }
    if (good) {
        (void)search_batch(self);
    }
done:
    free(self);
    return error->status == CORE_OK;
}
