/* Rows of elements that idle processors keep and write; see row.h. */
#include "row.h"

#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "narrow.h"

/* Some 100 to 200 microseconds of work a piece: an engine cuts at pages, the pieces are those of
 * the row. */
typedef struct sharing {
    const core_row *row;
    uint64_t *pages; /* their addresses; the first one is where the row begins */
    uint64_t count;
    uint64_t each; /* pages of a piece; the last one may have fewer */
    bool keeps, writes;
} sharing;

static uint64_t page_size(const core_target *target)
{
    ULONG granule = 0;

    return target->scatter->lpVtbl->GetGranule(target->scatter, &granule) == S_OK ? granule : 0;
}

uint64_t core_row_first(const core_target *target, uint64_t address, uint64_t most, uint32_t width)
{
    bool good = target->scatter != NULL && target->stopped && address % width == 0;
    uint64_t page = good ? page_size(target) : 0;

    /* Simulated memory has no pages, and no processor that would help. */
    return page > 1 && most * width % page == 0 ? most - address % page / width : 0;
}

/* Copies what is to be written. False: a value does not fit the target. */
static bool pack(const core_row *row, const core_row_piece *piece)
{
    const core_request *request = row->request;
    pointer_view values = pointer_view_part(&request->values, piece->from, piece->count);
    bool must_fit = core_must_fit(request, row->width);
    uint64_t wide;

    if (row->width == 1) {
        memcpy(piece->fresh, values.first, (size_t)piece->count);
        return true;
    }
    return pointer_view_pack(&values, row->width, must_fit, piece->fresh, &wide) == piece->count;
}

static bool keep(const core_row *row, core_row_piece *piece, const pointer_mover *mover,
                 pointer_range *range)
{
    range->Data = piece->old;
    piece->kept = mover->move(mover, false, 1, range) &&
                  (row->expected == NULL ||
                   core_holds(row->expected, row->width, piece->from, piece->count, piece->old)) &&
                  pack(row, piece);
    return piece->kept;
}

/* Does the piece of these pages. */
static bool do_part(void *context, const pointer_mover *mover, void *room, ULONG64 first,
                    ULONG64 past)
{
    const sharing *self = context;
    core_row_piece *piece = &self->row->pieces[first / self->each];
    pointer_range range = {self->pages[first], NULL, piece->count * self->row->width};
    bool good = true;

    (void)room;
    if (past == self->count || past - first == self->each) { /* all pages of it can be shared */
        good = !self->keeps || keep(self->row, piece, mover, &range);
        range.Data = piece->fresh;
        good = good && (!self->writes || mover->move(mover, true, 1, &range));
    }
    return good;
}

/* Has the engine's threads do the pieces. Returns the number of leading ones that were done. */
static size_t share(const core_target *target, sharing *self, bool *good)
{
    shared_work work = {.addresses = (const unsigned char *)self->pages,
                        .stride = sizeof *self->pages,
                        .count = self->count,
                        .part_pages = (ULONG)self->each,
                        .writing = true,
                        .context = self,
                        .do_part = do_part};
    ULONG64 done = 0;

    *good = target->scatter->lpVtbl->ShareByPages(target->scatter, &work, &done) == S_OK;
    return done == self->count ? self->row->count : (size_t)(done / self->each);
}

/* Does all pieces in two steps, the first of which only reads. */
static size_t share_expected(const core_target *target, sharing *self, bool *good)
{
    const core_row *row = self->row;
    size_t done;

    self->writes = false;
    done = share(target, self, good);
    if (*good && done == row->count) {
        self->keeps = false;
        self->writes = true;
        done = share(target, self, good);
    } else {
        for (size_t i = 0; i < row->count; i++) {
            row->pieces[i].kept = false;
        }
        done = 0;
    }
    return done;
}

size_t core_row_write(const core_target *target, const core_row *row, bool *good)
{
    const core_row_piece *first = row->pieces, *last = &row->pieces[row->count - 1];
    uint64_t begin = row->request->address + first->from * row->width;
    uint64_t size = (last->from + last->count - first->from) * row->width;
    uint64_t page = page_size(target);
    uint64_t inside = begin % page;
    sharing self = {.row = row, .keeps = true, .writes = true};
    size_t done = 0;

    self.count = (inside + size - 1) / page + 1;
    self.each = (inside + first->count * row->width - 1) / page + 1;
    self.pages = malloc((size_t)self.count * sizeof *self.pages);
    *good = true;
    if (self.pages != NULL) {
        for (uint64_t i = 0; i < self.count; i++) {
            self.pages[i] = begin + (i == 0 ? 0 : i * page - inside);
        }
        done = row->expected == NULL ? share(target, &self, good)
                                     : share_expected(target, &self, good);
    }
    free(self.pages);
    return done;
}
