/* Scattered pointers of a stopped target, by page: spans that are read, patched and written back.
 *
 * Sorting is stable and by page alone, so that in each page the caller's order is kept and the last
 * value for an address wins. Every engine call here is a short cut: if one fails, the caller does
 * the same elements again in their order, and so finds what can't be moved, and the reason.
 */
#include "sorted.h"

#include <stdlib.h>
#include <string.h>

#include "../query.h"
#include "pages.h"
#include "radix.h"

#define PAGE_SHIFT 12u
_Static_assert(UINT64_C(1) << PAGE_SHIFT == SPAN_PAGE, "entries are sorted by page");

/* From this many separate pieces on, a page is read and written back. Measured:
 * docs/performance.md. */
#define LEAST_PIECES         3u
#define LEAST_PIECES_READING 2u

/* Elements whose work is shared at a time, at first; later, as many as take a chunk's time. */
#define LEAST_SHARED 65536u
/* Fewer elements are not shared. */
#define FEW 1024u

struct sorted_pages {
    radix_entry *entries;
    radix_entry *spare;
    pages_under_way *under_way;
    size_t share;      /* elements whose work is shared next */
    size_t share_from; /* no sharing before this element */
    /* The addresses for which it is known whether spans are allowed. */
    uint64_t known_from, known_to; /* the last address, included */
    bool allowed;
};

sorted_pages *scattered_sorted_create(uint64_t count, const scattered_job *job)
{
    uint64_t entries = count < CORE_SORTED_AT_ONCE ? count : CORE_SORTED_AT_ONCE;
    sorted_pages *pages = calloc(1, sizeof *pages);
    pages_under_way *under_way = NULL;
    bool guarded = !job->by_page && !job->reading;

    if (pages != NULL) {
        pages->share = LEAST_SHARED;
        pages->entries = malloc((size_t)entries * sizeof *pages->entries);
        pages->spare = malloc((size_t)entries * sizeof *pages->spare);
        pages->under_way = under_way = malloc(sizeof *under_way);
    }
    if (under_way != NULL) {
        scattered_pages_init(under_way, job);
        under_way->guard = guarded ? core_guard_create() : NULL;
        under_way->old = guarded ? malloc(sizeof under_way->bytes) : NULL;
    }
    if (under_way == NULL || pages->entries == NULL || pages->spare == NULL ||
        (guarded && (under_way->guard == NULL || under_way->old == NULL))) {
        scattered_sorted_free(pages);
        pages = NULL;
    }
    return pages;
}

void scattered_sorted_free(sorted_pages *pages)
{
    if (pages != NULL) {
        if (pages->under_way != NULL) {
            core_guard_free(pages->under_way->guard);
            free(pages->under_way->old);
        }
        free(pages->under_way);
        free(pages->entries);
        free(pages->spare);
        free(pages);
    }
}

/* For an engine without IPointerScatter. Accepts memory that belongs to the process alone and that
 * it may both read and write, without any modifier such as PAGE_GUARD or PAGE_NOCACHE. */
static HRESULT queried_region(const core_target *target, uint64_t address, ULONG64 *end)
{
    MEMORY_BASIC_INFORMATION64 info = {0};
    HRESULT status = core_query(target, address, &info);

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

/* Adds the entries of one page, in the way that is quicker. */
static bool add_page(pages_under_way *under_way, size_t first, size_t past, bool as_span)
{
    return as_span ? scattered_add_span(under_way, first, past)
                   : scattered_add_pieces(under_way, first, past);
}

static bool worth_a_span(const scattered_job *job, size_t pieces)
{
    size_t least = job->reading ? LEAST_PIECES_READING : LEAST_PIECES;

    /* A page is read anyway if its contents are kept. */
    return job->kept != NULL ||
           (scattered_may_span(job) && (job->reading || job->request->spans) && pieces >= least);
}

/* The entries whose work threads share. */
typedef struct shared_entries {
    const scattered_job *job;
    const radix_entry *entries;
    size_t before; /* sorted elements before these */
} shared_entries;

/* One thread's part, whose pages may all be spans. */
static bool do_part(void *context, const pointer_mover *mover, void *room, ULONG64 first,
                    ULONG64 past)
{
    const shared_entries *self = context;
    pages_under_way *under_way = room;
    bool good = true;

    scattered_pages_init(under_way, self->job);
    under_way->entries = self->entries;
    under_way->before = self->before;
    under_way->mover = mover;
    for (size_t at = (size_t)first; good && at < past;) {
        size_t pieces;
        size_t end = scattered_page_end(under_way, at, (size_t)past, &pieces);

        good = add_page(under_way, at, end, worth_a_span(self->job, pieces));
        at = end;
    }
    return good && scattered_flush(under_way);
}

/* Has an engine's threads do the next entries, if these are many. Returns how many were done, maybe
 * none. *good is false if some could not be moved. */
static size_t share(const scattered_job *job, sorted_pages *pages, size_t first, size_t count,
                    bool *good)
{
    IPointerScatter *scatter = job->target->scatter;
    size_t wanted = count - first < pages->share ? count - first : pages->share;
    shared_entries entries = {job, pages->entries + first, first};
    shared_work work = {.addresses = (const unsigned char *)&entries.entries->key,
                        .stride = sizeof *entries.entries,
                        .writing = !job->reading,
                        .room_size = sizeof(pages_under_way),
                        .context = &entries,
                        .do_part = do_part};
    uint64_t begun;
    ULONG64 done = 0;

    if (scatter == NULL || !job->by_page || wanted < FEW || first < pages->share_from) {
        return 0;
    }
    while (wanted < count - first && entries.entries[wanted].key >> PAGE_SHIFT ==
                                         entries.entries[wanted - 1].key >> PAGE_SHIFT) {
        wanted++;
    }
    work.count = wanted;
    begun = job->pace->now_ns();
    *good = scatter->lpVtbl->ShareByPages(scatter, &work, &done) == S_OK;
    if (done < wanted) { /* a page can't be shared: the next ones are not tried for a while */
        pages->share_from = first + (size_t)done + LEAST_SHARED;
    } else {
        uint64_t took = job->pace->now_ns() - begun;
        uint64_t next = core_pace_next(job->pace, done, took);

        next = next < CORE_SORTED_AT_ONCE ? next : CORE_SORTED_AT_ONCE;
        pages->share = next > LEAST_SHARED ? (size_t)next : LEAST_SHARED;
    }
    return (size_t)done;
}

sorted_outcome scattered_sorted(scattered_job *job, uint64_t from, uint64_t count,
                                sorted_pages *pages)
{
    pages_under_way *under_way = pages->under_way;
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
    under_way->entries = pages->entries;
    pages->share_from = 0;
    pages->known_from = UINT64_MAX;
    pages->known_to = 0;
    while (good && more && first < count) {
        size_t past = first + share(job, pages, first, (size_t)count, &good);

        if (good && past == first) {
            uint64_t page = pages->entries[first].key & ~(SPAN_PAGE - 1);
            size_t pieces;
            bool as_span;

            past = scattered_page_end(under_way, first, (size_t)count, &pieces);
            as_span = worth_a_span(job, pieces) && span_allowed(job, pages, page);
            good = (as_span || job->kept == NULL) && add_page(under_way, first, past, as_span);
        }
        first = past;
        if (good && first - under_way->in_spans - under_way->in_pieces > done) {
            size_t moved = first - under_way->in_spans - under_way->in_pieces - done;

            done += moved;
            more = scattered_step(job, from + done, moved);
        }
    }
    good = good && (!more || scattered_flush(under_way));
    under_way->span_count = under_way->piece_count = 0;
    under_way->page_count = under_way->in_spans = under_way->in_pieces = 0;
    if (good) {
        outcome = more ? SORTED_DONE : SORTED_STOPPED;
    }
done:
    return outcome;
}
