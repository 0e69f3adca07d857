/* Sorted scattered pointers of a few pages under way; see pages.h. */
#include "pages.h"

#include <string.h>

void scattered_pages_init(pages_under_way *self, const scattered_job *job)
{
    self->job = job;
    self->entries = NULL;
    self->before = 0;
    self->mover = NULL;
    self->guard = NULL;
    self->old = NULL;
    self->span_count = self->piece_count = 0;
    self->page_count = self->in_spans = self->in_pieces = 0;
}

size_t scattered_page_end(const pages_under_way *self, size_t first, size_t count, size_t *pieces)
{
    const radix_entry *entries = self->entries;
    uint64_t page = entries[first].key / SPAN_PAGE;
    size_t past = first + 1;

    *pieces = 1;
    while (past < count && entries[past].key / SPAN_PAGE == page) {
        *pieces += entries[past].key == entries[past - 1].key + self->job->width ? 0 : 1;
        past++;
    }
    return past;
}

static HRESULT move(const pages_under_way *pages, bool writing, const pointer_range *ranges,
                    ULONG count, ULONG *done)
{
    if (pages->mover == NULL) {
        return scattered_move(pages->job->target, writing, ranges, count, done);
    }
    return pages->mover->move(pages->mover, writing, count, ranges) ? S_OK : E_FAIL;
}

static void put_value(unsigned char *at, uint64_t value, size_t width)
{
    uint32_t narrow = (uint32_t)value;

    if (width == 8) {
        memcpy(at, &value, 8);
    } else {
        memcpy(at, &narrow, 4);
    }
}

static void patch(const scattered_job *job, const radix_entry *entry, unsigned char *page)
{
    unsigned char *at = page + (entry->key & (SPAN_PAGE - 1));

    if (!job->reading) {
        put_value(at, entry->value, job->width);
    } else {
        uint64_t value = 0;

        memcpy(&value, at, job->width);
        ((uint64_t *)job->request->to)[entry->value] = value;
    }
}

/* Keeps the entries of pages that were read. */
static void keep(const pages_under_way *pages)
{
    const core_kept *kept = pages->job->kept;
    size_t width = pages->job->width;

    for (size_t i = 0; i < pages->page_count; i++) {
        const span_page *page = &pages->touched[i];

        for (size_t j = page->first; j < page->past; j++) {
            const radix_entry *entry = &pages->entries[j];
            size_t at = pages->before + j;

            kept->where[at] = entry->key;
            memcpy(kept->old + at * width, page->bytes + (entry->key & (SPAN_PAGE - 1)), width);
            put_value(kept->fresh + at * width, entry->value, width);
            kept->known[at] = 1;
        }
    }
}

/* After a write that ended inside a pointer: puts back the target's former contents. */
static void restore(pages_under_way *pages, ULONG failed)
{
    pointer_range *span = &pages->spans[failed];
    ULONG done = 0;

    span->Data = pages->old + ((unsigned char *)span->Data - pages->bytes);
    (void)scattered_move(pages->job->target, true, span, 1, &done);
}

static bool flush_spans(pages_under_way *pages)
{
    const scattered_job *job = pages->job;
    HRESULT status = S_OK;
    ULONG done = 0;

    if (pages->span_count > 0) {
        status = move(pages, false, pages->spans, pages->span_count, &done);
    }
    if (status == S_OK && !job->by_page && !job->reading) {
        memcpy(pages->old, pages->bytes, sizeof pages->bytes);
    }
    if (status == S_OK && job->kept != NULL) {
        keep(pages);
    }
    for (size_t i = 0; status == S_OK && i < pages->page_count; i++) {
        for (size_t j = pages->touched[i].first; j < pages->touched[i].past; j++) {
            patch(job, &pages->entries[j], pages->touched[i].bytes);
        }
    }
    if (status == S_OK && !job->reading && pages->span_count > 0) {
        status = move(pages, true, pages->spans, pages->span_count, &done);
        if (status != S_OK && !job->by_page) {
            restore(pages, done);
        }
    }
    pages->span_count = 0;
    pages->page_count = 0;
    pages->in_spans = 0;
    return status == S_OK;
}

static bool flush_pieces(pages_under_way *pages)
{
    const scattered_job *job = pages->job;
    HRESULT status = S_OK;
    ULONG done = 0;

    if (!job->reading && !job->by_page) {
        for (ULONG i = 0; status == S_OK && i < pages->piece_count; i++) {
            status = scattered_write_whole(job, &pages->pieces[i], pages->guard).status;
        }
    } else if (pages->piece_count > 0) {
        status = move(pages, !job->reading, pages->pieces, pages->piece_count, &done);
    }
    for (size_t i = 0; status == S_OK && job->reading && i < pages->in_pieces; i++) {
        uint64_t value = 0;

        memcpy(&value, pages->packed + i * job->width, job->width);
        ((uint64_t *)job->request->to)[pages->places[i]] = value;
    }
    pages->piece_count = 0;
    pages->in_pieces = 0;
    return status == S_OK;
}

/* Adds entries first..past-1 of one page as a span from its first touched byte to its last. If the
 * previous span ends in the page before, that span is extended over the rest of its page instead,
 * so that both are one range. */
bool scattered_add_span(pages_under_way *pages, size_t first, size_t past)
{
    uint64_t page = pages->entries[first].key & ~(SPAN_PAGE - 1);
    uint64_t least = UINT64_MAX, most = 0;
    pointer_range *last;
    bool good = true;

    if (pages->page_count == SPAN_PAGES) {
        good = flush_spans(pages);
    }
    for (size_t i = first; i < past; i++) {
        uint64_t at = pages->entries[i].key;

        least = at < least ? at : least;
        most = at > most ? at : most;
    }
    most += pages->job->width;
    last = pages->span_count == 0 ? NULL : &pages->spans[pages->span_count - 1];
    pages->touched[pages->page_count].first = first;
    pages->touched[pages->page_count].past = past;
    pages->touched[pages->page_count].bytes = pages->bytes + pages->page_count * SPAN_PAGE;
    if (last != NULL && ((last->Offset + last->Size - 1) | (SPAN_PAGE - 1)) + 1 == page) {
        last->Size = most - last->Offset;
    } else {
        pages->spans[pages->span_count].Offset = least;
        pages->spans[pages->span_count].Data =
            pages->touched[pages->page_count].bytes + (least - page);
        pages->spans[pages->span_count].Size = most - least;
        pages->span_count++;
    }
    pages->page_count++;
    pages->in_spans += past - first;
    return good;
}

bool scattered_add_pieces(pages_under_way *pages, size_t first, size_t past)
{
    const scattered_job *job = pages->job;
    size_t most = job->target->scatter != NULL ? PIECES : PIECES_BY_CALL;
    bool good = true;

    for (size_t i = first; good && i < past; i++) {
        const radix_entry *entry = &pages->entries[i];
        unsigned char *data;
        pointer_range *last;

        if (pages->in_pieces == most) {
            good = flush_pieces(pages);
        }
        data = pages->packed + pages->in_pieces * job->width;
        last = pages->piece_count == 0 ? NULL : &pages->pieces[pages->piece_count - 1];
        if (!job->reading) {
            uint32_t narrow = (uint32_t)entry->value;

            memcpy(data, job->width == 8 ? (const void *)&entry->value : &narrow, job->width);
        } else {
            pages->places[pages->in_pieces] = entry->value;
        }
        if (last != NULL && last->Offset + last->Size == entry->key) {
            last->Size += job->width;
        } else {
            pages->pieces[pages->piece_count].Offset = entry->key;
            pages->pieces[pages->piece_count].Data = data;
            pages->pieces[pages->piece_count].Size = job->width;
            pages->piece_count++;
        }
        pages->in_pieces++;
    }
    return good;
}

bool scattered_flush(pages_under_way *pages)
{
    return flush_spans(pages) && flush_pieces(pages);
}
