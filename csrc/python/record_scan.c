/* Reading the records of a journal; see record_scan.h. */
#include "record_scan.h"

#include <stdlib.h>

#include "../base/record_frame.h"

#define LEAST_WINDOW ((size_t)1 << 20)

/* A part of the file in memory. */
typedef struct window {
    record_file file;
    uint64_t at;
    unsigned char *data;
    size_t got, room;
} window;

/* Makes room for so many bytes from the window's place on. False: an exception is set. */
static bool grow(window *view, size_t size)
{
    size_t room = size > LEAST_WINDOW ? size : LEAST_WINDOW;
    unsigned char *data = size > view->room ? realloc(view->data, room) : view->data;

    if (data == NULL) {
        (void)PyErr_NoMemory();
        return false;
    }
    view->data = data;
    view->room = size > view->room ? room : view->room;
    return true;
}

/* Returns these bytes of the file. NULL: the file ends before them, or an exception is set. */
static const unsigned char *bytes_at(window *view, uint64_t at, size_t size)
{
    size_t more;

    if (at >= view->at && at - view->at <= view->got && view->got - (at - view->at) >= size) {
        return view->data + (at - view->at);
    }
    if (at != view->at) {
        view->at = at;
        view->got = 0;
    }
    if (!grow(view, size) || !record_file_read(view->file, at + view->got, view->data + view->got,
                                               view->room - view->got, &more)) {
        return NULL;
    }
    view->got += more;
    return view->got >= size ? view->data : NULL;
}

/* Counts the next record. False: it is not sound, or an exception is set. */
static bool take_next(record_log *log, window *view, uint64_t end)
{
    record_index *index = &log->index;
    const unsigned char *frame = bytes_at(view, index->end, RECORD_HEAD);
    size_t size = frame == NULL ? 0 : record_frame_measure(frame, index->number, index->chain);
    record_view record;
    uint64_t value;

    if (size == 0 || size > end - index->end) {
        return false;
    }
    frame = bytes_at(view, index->end, size);
    if (frame == NULL || !record_frame_view(frame, &record) ||
        !record_index_value(index, &record, &value)) {
        return false;
    }
    if (!record_index_reserve(index, 1)) {
        (void)PyErr_NoMemory();
        return false;
    }
    record_index_note(index, record.kind, value, index->end + size, record.chain);
    return PyErr_CheckSignals() == 0;
}

bool record_log_scan(record_log *log, uint64_t end)
{
    window view = {.file = log->handle};
    bool sound = record_log_may_add(log);

    log->in_use = sound;
    while (sound && log->index.end < end) {
        sound = take_next(log, &view, end);
    }
    log->in_use = false;
    free(view.data);
    return PyErr_Occurred() == NULL;
}
