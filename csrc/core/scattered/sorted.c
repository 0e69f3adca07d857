/* Scattered pointers of a stopped target, by page: spans that are read, patched and written back.
 *
 * Sorting is stable and by page alone, so that in each page the caller's order is kept and the last
 * value for an address wins. Every engine call here is a short cut: if one fails, the caller does
 * the same elements again in their order, and so finds what can't be moved, and the reason.
 */
#include "sorted.h"

#include <stdlib.h>
#include <string.h>

#include "radix.h"

#define PAGE_SHIFT 12u
_Static_assert(UINT64_C(1) << PAGE_SHIFT == SPAN_PAGE, "entries are sorted by page");

/* From this many separate pieces on, a page is read and written back. Measured:
 * docs/performance.md. */
#define LEAST_PIECES         3u
#define LEAST_PIECES_READING 2u

/* Pages that are read at once, patched and written back. */
#define SPAN_PAGES 64u

/* Pieces moved separately, at once: as many ranges as a system call takes; or, for an engine that
 * takes a call for each, few enough that it still answers in time. */
#define PIECES         1024u
#define PIECES_BY_CALL 128u

typedef struct span_page {
    size_t first, past;   /* its entries */
    unsigned char *bytes; /* the place of the page's beginning in the buffer */
} span_page;

struct sorted_pages {
    radix_entry *entries;
    radix_entry *spare;
    /* Pages under way. */
    unsigned char bytes[SPAN_PAGES * SPAN_PAGE];
    unsigned char old[SPAN_PAGES * SPAN_PAGE]; /* if a write may end inside a pointer */
    pointer_range spans[SPAN_PAGES];
    span_page touched[SPAN_PAGES];
    ULONG span_count;
    size_t page_count;
    size_t in_spans; /* elements */
    /* Pieces under way. */
    unsigned char packed[PIECES * 8];
    pointer_range pieces[PIECES];
    uint64_t places[PIECES]; /* reading: each one's destination */
    core_guard *guard;
    ULONG piece_count;
    size_t in_pieces;
    /* The addresses for which it is known whether spans are allowed. */
    uint64_t known_from, known_to; /* the last address, included */
    bool allowed;
};

sorted_pages *scattered_sorted_create(uint64_t count)
{
    uint64_t entries = count < CORE_SORTED_AT_ONCE ? count : CORE_SORTED_AT_ONCE;
    sorted_pages *pages = calloc(1, sizeof *pages);

    if (pages != NULL) {
        pages->entries = malloc((size_t)entries * sizeof *pages->entries);
        pages->spare = malloc((size_t)entries * sizeof *pages->spare);
        pages->guard = core_guard_create();
        if (pages->entries == NULL || pages->spare == NULL || pages->guard == NULL) {
            scattered_sorted_free(pages);
            pages = NULL;
        }
    }
    return pages;
}

void scattered_sorted_free(sorted_pages *pages)
{
    if (pages != NULL) {
        core_guard_free(pages->guard);
        free(pages->entries);
        free(pages->spare);
        free(pages);
    }
}

/* For an engine without IPointerScatter. Accepts memory that belongs to the process alone and that
 * it may both read and write, without any modifier such as PAGE_GUARD or PAGE_NOCACHE. */
static HRESULT queried_region(const core_target *target, uint64_t address, ULONG64 *end)
{
    IDebugDataSpaces4 *spaces = target->data_spaces;
    MEMORY_BASIC_INFORMATION64 info = {0};
    HRESULT status = spaces->lpVtbl->QueryVirtual(spaces, address, &info);

    if (status == S_OK) {
        bool own = info.Type == MEM_PRIVATE || info.Type == MEM_IMAGE;
        bool open = info.Protect == PAGE_READWRITE || info.Protect == PAGE_WRITECOPY ||
                    info.Protect == PAGE_EXECUTE_READWRITE ||
                    info.Protect == PAGE_EXECUTE_WRITECOPY;

        *end = info.BaseAddress + info.RegionSize;
        status = info.State == MEM_COMMIT && own && open ? S_OK : S_FALSE;
    }
    return status;
}

/* Returns whether this page may be read and written back as a whole. Pages come in ascending order.
 */
static bool span_allowed(const scattered_job *job, sorted_pages *pages, uint64_t page)
{
    uint64_t last = page + (SPAN_PAGE - 1);

    if (page < pages->known_from || page > pages->known_to) {
        IPointerScatter *scatter = job->target->scatter;
        ULONG64 end = 0;
        HRESULT status = scatter != NULL ? scatter->lpVtbl->GetSpanRegion(scatter, page, &end)
                                         : queried_region(job->target, page, &end);

        pages->allowed = status == S_OK;
        pages->known_from = page;
        pages->known_to = status == S_OK || status == S_FALSE ? end - 1 : last;
    }
    return pages->allowed && pages->known_to >= last;
}

static void patch(const scattered_job *job, const radix_entry *entry, unsigned char *page)
{
    unsigned char *at = page + (entry->key & (SPAN_PAGE - 1));

    if (!job->reading) {
        uint32_t narrow = (uint32_t)entry->value;

        if (job->width == 8) {
            memcpy(at, &entry->value, 8);
        } else {
            memcpy(at, &narrow, 4);
        }
    } else {
        uint64_t value = 0;

        memcpy(&value, at, job->width);
        ((uint64_t *)job->request->to)[entry->value] = value;
    }
}

/* After a write that ended inside a pointer: puts back the target's former contents. */
static void restore(scattered_job *job, sorted_pages *pages, ULONG failed)
{
    pointer_range *span = &pages->spans[failed];
    ULONG done = 0;

    span->Data = pages->old + ((unsigned char *)span->Data - pages->bytes);
    (void)scattered_move(job->target, true, span, 1, &done);
}

static bool flush_spans(scattered_job *job, sorted_pages *pages)
{
    HRESULT status = S_OK;
    ULONG done = 0;

    if (pages->span_count > 0) {
        status = scattered_move(job->target, false, pages->spans, pages->span_count, &done);
    }
    if (status == S_OK && !job->by_page && !job->reading) {
        memcpy(pages->old, pages->bytes, sizeof pages->old);
    }
    for (size_t i = 0; status == S_OK && i < pages->page_count; i++) {
        for (size_t j = pages->touched[i].first; j < pages->touched[i].past; j++) {
            patch(job, &pages->entries[j], pages->touched[i].bytes);
        }
    }
    if (status == S_OK && !job->reading && pages->span_count > 0) {
        status = scattered_move(job->target, true, pages->spans, pages->span_count, &done);
        if (status != S_OK && !job->by_page) {
            restore(job, pages, done);
        }
    }
    pages->span_count = 0;
    pages->page_count = 0;
    pages->in_spans = 0;
    return status == S_OK;
}

static bool flush_pieces(scattered_job *job, sorted_pages *pages)
{
    HRESULT status = S_OK;
    ULONG done = 0;

    if (!job->reading && !job->by_page) {
        for (ULONG i = 0; status == S_OK && i < pages->piece_count; i++) {
            status = scattered_write_whole(job, &pages->pieces[i], pages->guard).status;
        }
    } else if (pages->piece_count > 0) {
        status =
            scattered_move(job->target, !job->reading, pages->pieces, pages->piece_count, &done);
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
static bool add_span(scattered_job *job, sorted_pages *pages, size_t first, size_t past)
{
    uint64_t page = pages->entries[first].key & ~(SPAN_PAGE - 1);
    uint64_t least = UINT64_MAX, most = 0;
    pointer_range *last;
    bool good = true;

    if (pages->page_count == SPAN_PAGES) {
        good = flush_spans(job, pages);
    }
    for (size_t i = first; i < past; i++) {
        uint64_t at = pages->entries[i].key;

        least = at < least ? at : least;
        most = at > most ? at : most;
    }
    most += job->width;
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

static bool add_pieces(scattered_job *job, sorted_pages *pages, size_t first, size_t past)
{
    size_t most = job->target->scatter != NULL ? PIECES : PIECES_BY_CALL;
    bool good = true;

    for (size_t i = first; good && i < past; i++) {
        const radix_entry *entry = &pages->entries[i];
        unsigned char *data;
        pointer_range *last;

        if (pages->in_pieces == most) {
            good = flush_pieces(job, pages);
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

/* Takes the elements, in the caller's order. False: some need the caller's order, since they lie in
 * two pages or their value has become too wide, or most are neighbours, which need no sorting. */
static bool take(scattered_job *job, sorted_pages *pages, uint64_t from, uint64_t count)
{
    const pointer_view addresses = job->request->addresses, values = job->request->values;
    uint64_t last_in_page = SPAN_PAGE - job->width;
    uint64_t before = 0, neighbours = 0;
    uint64_t crossing = 0;

    for (uint64_t i = 0; i < count; i++) {
        radix_entry *entry = &pages->entries[i];

        memcpy(&entry->key, pointer_view_at(&addresses, from + i), sizeof entry->key);
        crossing |= (uint64_t)((entry->key & (SPAN_PAGE - 1)) > last_in_page);
        neighbours += (uint64_t)(entry->key == before + job->width);
        before = entry->key;
    }
    for (uint64_t i = 0; !job->reading && i < count; i++) {
        radix_entry *entry = &pages->entries[i];

        memcpy(&entry->value, pointer_view_at(&values, from + i), sizeof entry->value);
        crossing |= (uint64_t)(job->must_fit && pointer_is_wide(entry->value));
    }
    for (uint64_t i = 0; job->reading && i < count; i++) {
        pages->entries[i].value = from + i;
    }
    return crossing == 0 && neighbours < count - count / 8;
}

sorted_outcome scattered_sorted(scattered_job *job, uint64_t from, uint64_t count,
                                sorted_pages *pages)
{
    unsigned least_pieces = !job->reading ? LEAST_PIECES : LEAST_PIECES_READING;
    bool spans = job->reading || job->request->spans;
    sorted_outcome outcome = SORTED_FAILED;
    bool good = true, more = true;
    radix_entry *sorted;
    size_t first = 0, done = 0;

    if (!take(job, pages, from, count)) {
        goto done;
    }
    sorted = radix_sort(pages->entries, pages->spare, (size_t)count, PAGE_SHIFT);
    if (sorted != pages->entries) {
        pages->spare = pages->entries;
        pages->entries = sorted;
    }
    pages->known_from = UINT64_MAX;
    pages->known_to = 0;
    while (good && more && first < count) {
        uint64_t page = pages->entries[first].key >> PAGE_SHIFT;
        size_t past = first + 1, pieces = 1;

        while (past < count && pages->entries[past].key >> PAGE_SHIFT == page) {
            pieces += pages->entries[past].key == pages->entries[past - 1].key + job->width ? 0 : 1;
            past++;
        }
        if (spans && pieces >= least_pieces && span_allowed(job, pages, page << PAGE_SHIFT)) {
            good = add_span(job, pages, first, past);
        } else {
            good = add_pieces(job, pages, first, past);
        }
        first = past;
        if (good && first - pages->in_spans - pages->in_pieces > done) {
            size_t moved = first - pages->in_spans - pages->in_pieces - done;

            done += moved;
            more = scattered_step(job, from + done, moved);
        }
    }
    good = good && (!more || (flush_spans(job, pages) && flush_pieces(job, pages)));
    pages->span_count = pages->piece_count = 0;
    pages->page_count = pages->in_spans = pages->in_pieces = 0;
    if (good) {
        outcome = more ? SORTED_DONE : SORTED_STOPPED;
    }
done:
    return outcome;
}
