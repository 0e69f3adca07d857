/* Disjoint address ranges in order; see range_map.h. */
#include "range_map.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_RANGES 64u

struct range_chunk {
    size_t count;
    found_range ranges[CHUNK_RANGES];
};

void range_map_free(range_map *map)
{
    for (size_t i = 0; i < map->chunk_count; i++) {
        free(map->chunks[i]);
    }
    free(map->chunks);
    *map = (range_map){0};
}

range_place range_map_find(const range_map *map, uint64_t address)
{
    range_place place = {0};
    size_t count = map->chunk_count;

    while (count > 0) { /* the first chunk whose last range does not end before the address */
        size_t half = count / 2;
        const range_chunk *chunk = map->chunks[place.chunk + half];

        if (chunk->ranges[chunk->count - 1].last < address) {
            place.chunk += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    count = place.chunk < map->chunk_count ? map->chunks[place.chunk]->count : 0;
    while (count > 0) {
        size_t half = count / 2;

        if (map->chunks[place.chunk]->ranges[place.at + half].last < address) {
            place.at += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return place;
}

static found_range *range_at(const range_map *map, range_place place)
{
    return place.chunk < map->chunk_count ? &map->chunks[place.chunk]->ranges[place.at] : NULL;
}

const found_range *range_map_at(const range_map *map, range_place place)
{
    return range_at(map, place);
}

range_place range_map_next(const range_map *map, range_place place)
{
    place.at++;
    if (place.at == map->chunks[place.chunk]->count) {
        place.chunk++;
        place.at = 0;
    }
    return place;
}

found_range range_part(const found_range *range, uint64_t start, uint64_t last)
{
    found_range part = *range;

    part.start = start;
    part.last = last;
    part.place += start - range->start;
    part.whole = range->whole && start == range->start && last == range->last;
    return part;
}

/* Makes room for one more chunk. */
static bool grow(range_map *map)
{
    size_t room = map->room == 0 ? 16 : 2 * map->room;
    range_chunk **chunks = NULL;

    if (map->chunk_count < map->room) {
        return true;
    }
    if (room <= SIZE_MAX / sizeof *chunks) {
        chunks = realloc(map->chunks, room * sizeof *chunks);
    }
    if (chunks != NULL) {
        map->chunks = chunks;
        map->room = room;
    }
    return chunks != NULL;
}

/* Adds an empty chunk before the one with this number. */
static bool add_chunk(range_map *map, size_t number)
{
    range_chunk *chunk = grow(map) ? malloc(sizeof *chunk) : NULL;

    if (chunk != NULL) {
        chunk->count = 0;
        memmove(&map->chunks[number + 1], &map->chunks[number],
                (map->chunk_count - number) * sizeof(range_chunk *));
        map->chunks[number] = chunk;
        map->chunk_count++;
    }
    return chunk != NULL;
}

/* Makes room for one range at a place in a chunk, which may be the one behind its last. */
static bool make_room(range_map *map, range_place *place)
{
    range_chunk *full = NULL, *more = NULL;

    if (place->chunk == map->chunk_count && place->chunk > 0) { /* behind all */
        place->chunk--;
        place->at = map->chunks[place->chunk]->count;
    }
    if (map->chunk_count == 0) {
        return add_chunk(map, 0);
    }
    full = map->chunks[place->chunk];
    if (full->count < CHUNK_RANGES) {
        return true;
    }
    if (!add_chunk(map, place->chunk + 1)) {
        return false;
    }
    more = map->chunks[place->chunk + 1];
    if (place->at < CHUNK_RANGES) { /* otherwise they come in order, and `full` stays full */
        more->count = CHUNK_RANGES / 2;
        full->count -= more->count;
        memcpy(more->ranges, &full->ranges[full->count], more->count * sizeof more->ranges[0]);
    }
    if (place->at > full->count || full->count == CHUNK_RANGES) {
        place->at -= full->count;
        place->chunk++;
    }
    return true;
}

static bool insert(range_map *map, range_place place, const found_range *range)
{
    range_chunk *chunk = NULL;

    if (!make_room(map, &place)) {
        return false;
    }
    chunk = map->chunks[place.chunk];
    memmove(&chunk->ranges[place.at + 1], &chunk->ranges[place.at],
            (chunk->count - place.at) * sizeof chunk->ranges[0]);
    chunk->ranges[place.at] = *range;
    chunk->count++;
    map->count++;
    return true;
}

static void remove_at(range_map *map, range_place place)
{
    range_chunk *chunk = map->chunks[place.chunk];

    chunk->count--;
    map->count--;
    memmove(&chunk->ranges[place.at], &chunk->ranges[place.at + 1],
            (chunk->count - place.at) * sizeof chunk->ranges[0]);
    if (chunk->count == 0) {
        free(chunk);
        map->chunk_count--;
        memmove(&map->chunks[place.chunk], &map->chunks[place.chunk + 1],
                (map->chunk_count - place.chunk) * sizeof(range_chunk *));
    }
}

bool range_map_cut(range_map *map, uint64_t start, uint64_t last)
{
    range_place place = range_map_find(map, start);
    found_range *range = range_at(map, place);

    while (range != NULL && range->start <= last) {
        found_range all = *range;

        if (all.start >= start && all.last <= last) {
            remove_at(map, place);
        } else if (all.start >= start) {
            *range = range_part(&all, last + 1, all.last);
        } else {
            *range = range_part(&all, all.start, start - 1);
            if (all.last > last) {
                found_range rest = range_part(&all, last + 1, all.last);

                if (!insert(map, (range_place){place.chunk, place.at + 1}, &rest)) {
                    *range = all;
                    return false;
                }
            }
        }
        place = range_map_find(map, start);
        range = range_at(map, place);
    }
    return true;
}

bool range_map_put(range_map *map, const found_range *range)
{
    uint64_t start = range->start;
    range_place place = range_map_find(map, start);
    const found_range *next = range_at(map, place);

    while (next != NULL && next->start <= range->last) {
        if (next->record != range->record) {
            return true;
        }
        place = range_map_next(map, place);
        next = range_at(map, place);
    }
    for (;;) {
        uint64_t last = range->last;

        place = range_map_find(map, start);
        next = range_at(map, place);
        if (next != NULL && next->start <= last) {
            last = next->start - 1;
        }
        if (next == NULL || next->start > start) {
            found_range part = range_part(range, start, last);

            if (!insert(map, place, &part)) {
                return false;
            }
            if (last == range->last) {
                return true;
            }
            start = last + 1;
        } else if (next->last >= range->last) {
            return true;
        } else {
            start = next->last + 1;
        }
    }
}
