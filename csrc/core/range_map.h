/* Disjoint address ranges in order: the conflicts that an undo has found so far.
 *
 * They are kept in chunks, so that a change moves a few kilobytes at most, however many there are.
 */
#ifndef PYDBGWRITE_CORE_RANGE_MAP_H
#define PYDBGWRITE_CORE_RANGE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct found_range {
    uint64_t start;
    uint64_t last;   /* the last address, included: memory may end at 2^64 */
    uint64_t place;  /* of the bytes that were found there, in the store of such bytes */
    uint32_t record; /* the record that found them */
    uint8_t unit;    /* bytes of an element of that record */
    bool whole;      /* this is all that the record found here: no part was cut off */
} found_range;

typedef struct range_chunk range_chunk;

/* Zeros are an empty map. */
typedef struct range_map {
    range_chunk **chunks; /* none of them is empty */
    size_t chunk_count;
    size_t room;  /* for chunks */
    size_t count; /* ranges */
} range_map;

/* A place in a map, until the map changes. */
typedef struct range_place {
    size_t chunk;
    size_t at;
} range_place;

void range_map_free(range_map *map);

/* Returns the place of the first range that ends at this address or behind it. */
range_place range_map_find(const range_map *map, uint64_t address);

/* Returns the range at a place; NULL behind the last. */
const found_range *range_map_at(const range_map *map, range_place place);

/* Returns the place behind. */
range_place range_map_next(const range_map *map, range_place place);

/* Returns the part of a range between two addresses that it contains. */
found_range range_part(const found_range *range, uint64_t start, uint64_t last);

/* Removes the addresses start..last. False: memory is short, and a range remains. */
bool range_map_cut(range_map *map, uint64_t start, uint64_t last);

/* Adds those parts of a range that the map does not have; nothing if a range of another record has
 * one of its addresses. False: memory is short. */
bool range_map_put(range_map *map, const found_range *range);

#endif
