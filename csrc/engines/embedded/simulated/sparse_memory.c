/* Blocks of sparse memory in an open-addressing hash table; see sparse_memory.h. */
#include "sparse_memory.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64u

/* Returns the place of a block, or the empty place for it. The table is never full. */
static size_t place_of(const sparse_block *places, size_t capacity, uint64_t number)
{
    /* Fibonacci hashing: the multiplier is 2^64 divided by the golden ratio (Knuth, TAOCP 6.4). */
    size_t place = (size_t)((number * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (capacity - 1);

    while (places[place].bytes != NULL && places[place].number != number) {
        place = (place + 1) & (capacity - 1);
    }
    return place;
}

static unsigned char *find(sparse_memory *self, uint64_t number)
{
    if (self->last.bytes == NULL || self->last.number != number) {
        self->last.bytes = NULL;
        if (self->capacity > 0) {
            self->last = self->places[place_of(self->places, self->capacity, number)];
        }
    }
    return self->last.bytes;
}

/* Keeps at least half of the places empty. */
static bool keep_half_empty(sparse_memory *self)
{
    size_t capacity = self->capacity == 0 ? FIRST_CAPACITY : self->capacity * 2;
    sparse_block *places = NULL;

    if (self->capacity > 0 && self->used < self->capacity / 2) {
        return true;
    }
    if (capacity > SIZE_MAX / sizeof *places) {
        return false;
    }
    places = calloc(capacity, sizeof *places);
    if (places == NULL) {
        return false;
    }
    for (size_t i = 0; i < self->capacity; i++) {
        if (self->places[i].bytes != NULL) {
            places[place_of(places, capacity, self->places[i].number)] = self->places[i];
        }
    }
    free(self->places);
    self->places = places;
    self->capacity = capacity;
    return true;
}

static unsigned char *find_or_add(sparse_memory *self, uint64_t number)
{
    unsigned char *bytes = find(self, number);

    if (bytes == NULL && keep_half_empty(self)) {
        bytes = calloc(1, (size_t)SPARSE_BLOCK_BYTES);
        if (bytes != NULL) {
            self->last.number = number;
            self->last.bytes = bytes;
            self->places[place_of(self->places, self->capacity, number)] = self->last;
            self->used++;
        }
    }
    return bytes;
}

void sparse_memory_read(sparse_memory *self, uint64_t address, void *data, size_t size)
{
    const unsigned char *bytes = find(self, address / SPARSE_BLOCK_BYTES);

    if (bytes != NULL) {
        memcpy(data, bytes + address % SPARSE_BLOCK_BYTES, size);
    } else {
        memset(data, 0, size);
    }
}

bool sparse_memory_write(sparse_memory *self, uint64_t address, const void *data, size_t size)
{
    unsigned char *bytes = find_or_add(self, address / SPARSE_BLOCK_BYTES);

    if (bytes != NULL) {
        memcpy(bytes + address % SPARSE_BLOCK_BYTES, data, size);
    }
    return bytes != NULL;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Sorts the numbers of all blocks, which are never removed one by one. False: memory is short. */
static bool sort(sparse_memory *self)
{
    uint64_t *grown;
    size_t count = 0;

    if (self->sorted_count == self->used) {
        return true;
    }
    grown = self->used > SIZE_MAX / sizeof *grown
                ? NULL
                : realloc(self->sorted, self->used * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    for (size_t i = 0; i < self->capacity; i++) {
        if (self->places[i].bytes != NULL) {
            grown[count++] = self->places[i].number;
        }
    }
    qsort(grown, count, sizeof *grown, by_number);
    self->sorted = grown;
    self->sorted_count = count;
    return true;
}

bool sparse_memory_find(sparse_memory *self, uint64_t address, uint64_t *first, uint64_t *last)
{
    uint64_t number = address / SPARSE_BLOCK_BYTES;
    size_t low = 0, high, end;

    *first = address;
    *last = UINT64_MAX;
    if (!sort(self)) {
        return true; /* then all of it is read */
    }
    high = self->sorted_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (self->sorted[middle] < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == self->sorted_count) {
        return false;
    }
    end = low;
    while (end + 1 < self->sorted_count && self->sorted[end + 1] == self->sorted[end] + 1) {
        end++;
    }
    *first = self->sorted[low] == number ? address : self->sorted[low] * SPARSE_BLOCK_BYTES;
    *last = self->sorted[end] * SPARSE_BLOCK_BYTES + (SPARSE_BLOCK_BYTES - 1);
    return true;
}

void sparse_memory_free(sparse_memory *self)
{
    for (size_t i = 0; i < self->capacity; i++) {
        free(self->places[i].bytes);
    }
    free(self->places);
    free(self->sorted);
    memset(self, 0, sizeof *self);
}
