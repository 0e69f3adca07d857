/* Searching a target's memory for words, on any engine. */
#ifndef PYDBGWRITE_CORE_SEARCH_SEARCH_H
#define PYDBGWRITE_CORE_SEARCH_SEARCH_H

#include "../request.h"
#include "words.h"

typedef struct core_search {
    const search_words *words;
    const uint64_t *starts; /* of ranges, ascending and apart */
    const uint64_t *sizes;  /* above 0; no range wraps past 2^64 */
    size_t count;
    uint64_t limit; /* the most words to find */
} core_search;

/* A growing array of pairs. */
typedef struct core_pairs {
    uint64_t *first;
    uint64_t *second;
    size_t count;
    size_t room;
} core_pairs;

typedef struct core_found {
    core_pairs words;   /* addresses in ascending order, and what is stored there, whole */
    core_pairs skipped; /* starts and sizes of what could not be read, in the same order */
    bool cut;           /* there is at least one more: the limit ended the search */
} core_found;

/* Searches the ranges. error->count are all bytes, and error->done those behind which nothing was
 * searched. *found, zeroed before, is valid whatever the end; core_found_free() follows. False:
 * *error says why the search ended early, which the limit is no reason for. */
bool core_search_run(const core_target *target, const core_search *search, const core_pace *pace,
                     core_found *found, core_error *error);

void core_found_free(core_found *found);

#endif
