/* How a record is framed in version 2 of the format of journals: pydbgwrite/_journal/format.py. */
#ifndef PYDBGWRITE_BASE_RECORD_FRAME_H
#define PYDBGWRITE_BASE_RECORD_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes before and after a payload. */
#define RECORD_HEAD 32u
#define RECORD_TAIL 16u

/* The most bytes of a payload. */
#define RECORD_LONGEST (UINT64_C(64) << 20)

/* Returns the bytes of a record with this payload, at most RECORD_LONGEST. */
size_t record_frame_size(size_t payload);

/* Completes a record whose payload is in its place in `frame`: head, zeros and tail. Returns the
 * checksum after it. Without `sealed`, checksums are 0 and not computed. */
uint64_t record_frame_seal(unsigned char *frame, uint32_t kind, uint32_t unit, uint64_t number,
                           size_t payload, uint64_t chain, bool sealed);

/* A record in memory. `size` is that of its payload. */
typedef struct record_view {
    uint32_t kind, unit;
    const unsigned char *payload;
    size_t size;
    uint64_t chain; /* the checksum after it */
} record_view;

/* Returns the bytes of the record that begins with this head, of RECORD_HEAD bytes; 0 if the head
 * does not fit its checksum, which continues `chain`, or is that of another number. */
size_t record_frame_measure(const unsigned char *head, uint64_t number, uint64_t chain);

/* Describes a record whose head was measured, and which is whole in memory. False: its contents do
 * not fit their checksum. */
bool record_frame_view(const unsigned char *frame, record_view *view);

#endif
