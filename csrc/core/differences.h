/* The result of a comparison: its differences, counted, and the first of them. */
#ifndef PYDBGWRITE_CORE_DIFFERENCES_H
#define PYDBGWRITE_CORE_DIFFERENCES_H

#include "error.h"

/* This many differences are kept; all are counted. */
#define CORE_MISMATCHES 100u

typedef struct core_mismatch {
    uint64_t index;         /* of the element, in the caller's order */
    uint64_t address;       /* of the element */
    uint64_t wanted, found; /* zero-extended, as the target holds them */
} core_mismatch;

typedef struct core_differences {
    uint64_t total;
    uint32_t kept;
    core_mismatch first[CORE_MISMATCHES]; /* those with the smallest indices, in order */
} core_differences;

/* Counts a difference, and keeps it if it is among the first. */
void core_note_mismatch(core_differences *found, const core_mismatch *mismatch);

/* At the end of a comparison: CORE_DIFFERENT if there are differences, and error->landed. */
void core_conclude(const core_differences *found, core_error *error);

/* Notes that memory can't be read, after the engine's error or because memory is short. */
void core_unreadable(core_error *error, uint64_t index, uint64_t address);

#endif
