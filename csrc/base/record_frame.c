/* Frames of records; see record_frame.h. */
#include "record_frame.h"

#include <string.h>

#include "checksum.h"

#define FILLED_TO 8u
#define END       "END\n\0\0\0" /* and the zero that C adds */

/* The head without its checksum. */
typedef struct record_head {
    uint32_t kind, unit;
    uint64_t number, payload;
} record_head;
_Static_assert(sizeof(record_head) + sizeof(uint64_t) == RECORD_HEAD, "it has no padding");

static size_t filled(size_t payload)
{
    return (payload + (FILLED_TO - 1)) / FILLED_TO * FILLED_TO;
}

size_t record_frame_size(size_t payload)
{
    return RECORD_HEAD + filled(payload) + RECORD_TAIL;
}

uint64_t record_frame_seal(unsigned char *frame, uint32_t kind, uint32_t unit, uint64_t number,
                           size_t payload, uint64_t chain, bool sealed)
{
    record_head head = {kind, unit, number, payload};
    unsigned char *contents = frame + RECORD_HEAD;
    unsigned char *tail = contents + filled(payload);

    memcpy(frame, &head, sizeof head);
    memset(contents + payload, 0, filled(payload) - payload);
    chain = sealed ? checksum64(chain, frame, sizeof head) : 0;
    memcpy(frame + sizeof head, &chain, sizeof chain);
    chain = sealed ? checksum64(chain, contents, filled(payload)) : 0;
    memcpy(tail, &chain, sizeof chain);
    memcpy(tail + sizeof chain, END, RECORD_TAIL - sizeof chain);
    return chain;
}

size_t record_frame_measure(const unsigned char *frame, uint64_t number, uint64_t chain)
{
    record_head head;
    uint64_t stated;

    memcpy(&head, frame, sizeof head);
    memcpy(&stated, frame + sizeof head, sizeof stated);
    return stated == checksum64(chain, frame, sizeof head) && head.number == number &&
                   head.payload <= RECORD_LONGEST
               ? record_frame_size((size_t)head.payload)
               : 0;
}

bool record_frame_view(const unsigned char *frame, record_view *view)
{
    record_head head;
    uint64_t sealed, stated;
    const unsigned char *tail;

    memcpy(&head, frame, sizeof head);
    memcpy(&sealed, frame + sizeof head, sizeof sealed);
    view->kind = head.kind;
    view->unit = head.unit;
    view->payload = frame + RECORD_HEAD;
    view->size = (size_t)head.payload;
    view->chain = checksum64(sealed, view->payload, filled(view->size));
    tail = view->payload + filled(view->size);
    memcpy(&stated, tail, sizeof stated);
    return stated == view->chain &&
           memcmp(tail + sizeof stated, END, RECORD_TAIL - sizeof stated) == 0;
}
