/* A sorted table of the ranges that symbols cover, and bisection; see spans.h. */
#include "spans.h"

#include <stdlib.h>
#include <string.h>

#include "../scattered/radix.h"

#define BINDING_LOCAL 0u

/* A symbol that covers addresses up to `end`. */
typedef struct cover {
    uint64_t end;
    uint32_t symbol;
} cover;

typedef struct sweep {
    const symbol_source *sources;
    const symbol_entry *all;
    uint64_t high;
    symbol_spans *spans;
    cover *open; /* a stack: the last one began last */
    size_t open_count;
} sweep;

/* "$x" and "$d" of ARM's ABIs mark code and data, and name nothing. */
static bool is_mapping_symbol(const symbol_source *sources, const symbol_entry *entry)
{
    const unsigned char *name = symbol_entry_name(sources, entry);

    return entry->kind == SYMBOL_UNTYPED && entry->size == 0 && entry->length >= 2 &&
           name[0] == '$' && strchr("xdatv", name[1]) != NULL &&
           (entry->length == 2 || name[2] == '.');
}

static size_t underscores(const unsigned char *name, size_t length)
{
    size_t count = 0;

    while (count < length && name[count] == '_') {
        count++;
    }
    return count;
}

static int prefer_number(size_t one, size_t other)
{
    return one < other ? -1 : one > other;
}

/* Returns less than 0 if the first of two symbols at one address is the better name. */
static int prefer(const symbol_source *sources, const symbol_entry *one, const symbol_entry *other)
{
    const unsigned char *one_name = symbol_entry_name(sources, one);
    const unsigned char *other_name = symbol_entry_name(sources, other);
    int order = prefer_number(one->use, other->use);

    if (order == 0) {
        order = prefer_number(one->size == 0, other->size == 0);
    }
    if (order == 0) {
        order = prefer_number(one->kind == SYMBOL_UNTYPED, other->kind == SYMBOL_UNTYPED);
    }
    if (order == 0) {
        order = prefer_number(one->binding == BINDING_LOCAL, other->binding == BINDING_LOCAL);
    }
    if (order == 0) {
        order = prefer_number(underscores(one_name, one->length),
                              underscores(other_name, other->length));
    }
    if (order == 0) {
        order = prefer_number(one->length, other->length);
    }
    return order == 0 ? memcmp(one_name, other_name, one->length) : order;
}

static uint64_t end_of(const sweep *work, const symbol_entry *entry)
{
    return entry->size < work->high - entry->value ? entry->value + entry->size : work->high;
}

/* Where a symbol without a size ends at the latest. */
static uint64_t end_of_section(const sweep *work, const symbol_entry *entry)
{
    const symbol_source *source = &work->sources[entry->source];
    uint64_t end = entry->value + 1;

    if (source->sections != NULL && entry->section < source->section_count) {
        const symbol_section *section = &source->sections[entry->section];

        if (entry->value >= section->address && entry->value - section->address < section->size) {
            end = section->size < work->high - section->address ? section->address + section->size
                                                                : work->high;
        }
    }
    return end;
}

static void add_span(sweep *work, uint64_t start, uint32_t symbol)
{
    symbol_spans *spans = work->spans;

    if (spans->count > 0 && spans->symbols[spans->count - 1] == symbol) {
        return;
    }
    spans->starts[spans->count] = start;
    spans->symbols[spans->count++] = symbol;
}

/* Adds the spans from `from` to `to`, where no symbol begins; `last` covers what is left over up to
 * `last_end`. */
static void add_rest(sweep *work, uint64_t from, uint64_t to, uint32_t last, uint64_t last_end)
{
    bool fills = true; /* nothing has covered anything since `last` began */

    while (from < to) {
        uint64_t end = to;

        while (work->open_count > 0 && work->open[work->open_count - 1].end <= from) {
            work->open_count--;
        }
        if (work->open_count > 0) {
            const cover *top = &work->open[work->open_count - 1];

            end = top->end < to ? top->end : to;
            add_span(work, from, top->symbol);
            fills = false;
        } else if (fills && last != SYMBOL_NONE && from < last_end) {
            end = last_end < to ? last_end : to;
            add_span(work, from, last);
        } else {
            add_span(work, from, SYMBOL_NONE);
        }
        from = end;
    }
}

/* Adds the spans from one address with symbols to the next. */
static void add_group(sweep *work, const radix_entry *group, size_t count, uint64_t next)
{
    uint64_t start = group[0].key;
    uint32_t best = (uint32_t)group[0].value, longest = best;

    for (size_t i = 1; i < count; i++) {
        uint32_t each = (uint32_t)group[i].value;
        const symbol_entry *entry = &work->all[each];
        uint64_t end = end_of(work, entry), most = end_of(work, &work->all[longest]);

        if (prefer(work->sources, entry, &work->all[best]) < 0) {
            best = each;
        }
        if (end > most || (end == most && prefer(work->sources, entry, &work->all[longest]) < 0)) {
            longest = each;
        }
    }
    /* Behind the best one's end the longest goes on; between two ends no third one is looked for.
     */
    if (work->all[longest].size > 0) {
        work->open[work->open_count++] = (cover){end_of(work, &work->all[longest]), longest};
    }
    if (best != longest && work->all[best].size > 0) {
        work->open[work->open_count++] = (cover){end_of(work, &work->all[best]), best};
    }
    if (work->all[best].size > 0) {
        add_rest(work, start, next, SYMBOL_NONE, 0);
    } else {
        add_span(work, start, best);
        add_rest(work, start + 1, next, best, end_of_section(work, &work->all[best]));
    }
}

bool symbol_spans_make(const symbol_source *sources, const symbol_entries *entries, uint64_t low,
                       uint64_t high, symbol_spans *spans)
{
    size_t count = 0;
    radix_entry *keys = NULL, *sorted = NULL;
    sweep work = {.sources = sources, .all = entries->all, .high = high, .spans = spans};
    bool good = false;

    *spans = (symbol_spans){0};
    if (entries->count >= SIZE_MAX / 8 / sizeof *keys) {
        return false;
    }
    /* A symbol makes at most four spans: itself, what follows its one address, and two ends. */
    keys = malloc((2 * entries->count + 1) * sizeof *keys);
    spans->starts = malloc((4 * entries->count + 1) * sizeof *spans->starts);
    spans->symbols = malloc((4 * entries->count + 1) * sizeof *spans->symbols);
    work.open = malloc((2 * entries->count + 1) * sizeof *work.open);
    if (keys == NULL || spans->starts == NULL || spans->symbols == NULL || work.open == NULL) {
        goto done;
    }
    for (size_t i = 0; i < entries->count; i++) {
        const symbol_entry *each = &entries->all[i];

        if (each->has_place && each->value >= low && each->value < high &&
            !is_mapping_symbol(sources, each)) {
            keys[count].key = each->value;
            keys[count++].value = i;
        }
    }
    sorted = radix_sort(keys, keys + count, count, 0);
    for (size_t from = 0, to = 0; from < count; from = to) {
        for (to = from + 1; to < count && sorted[to].key == sorted[from].key; to++) {
        }
        add_group(&work, sorted + from, to - from, to < count ? sorted[to].key : high);
    }
    good = true;
done:
    free(work.open);
    free(keys);
    if (!good) {
        symbol_spans_free(spans);
    } else if (spans->count > 0) { /* most of what was allocated is spare */
        uint64_t *starts = realloc(spans->starts, spans->count * sizeof *starts);
        uint32_t *symbols = realloc(spans->symbols, spans->count * sizeof *symbols);

        spans->starts = starts == NULL ? spans->starts : starts;
        spans->symbols = symbols == NULL ? spans->symbols : symbols;
    }
    return good;
}

void symbol_spans_free(symbol_spans *spans)
{
    free(spans->starts);
    free(spans->symbols);
    *spans = (symbol_spans){0};
}

size_t symbol_spans_place(const symbol_spans *spans, size_t hint, uint64_t address)
{
    size_t low = 0, count = spans->count;

    if (hint > 0 && hint <= spans->count && spans->starts[hint - 1] <= address) {
        size_t step = 1;

        low = hint;
        while (step <= spans->count - low && spans->starts[low + step - 1] <= address) {
            low += step;
            step *= 2;
        }
        count = step - 1 < spans->count - low ? step - 1 : spans->count - low;
    }
    while (count > 0) { /* the first start that is greater */
        size_t half = count / 2;

        if (spans->starts[low + half] <= address) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}
