/* Reading symbol tables, and classifying which names mean one symbol; see entries.h. */
#include "entries.h"

#include <stdlib.h>
#include <string.h>

#include "../scattered/radix.h"

#define SECTION_UNDEFINED 0u
#define SECTION_ABSOLUTE  0xfff1u
#define SECTION_COMMON    0xfff2u
#define KIND_SECTION      3u
#define KIND_FILE         4u
#define BINDING_LOCAL     0u
#define VISIBLE           0u
#define PROTECTED         3u
#define VERSION_HIDDEN    0x8000u
#define NAME_MOST         65536u

/* Names can share their ends, but all names are not many times as long as their table. */
#define SHARED_MOST 16u

static uint64_t number_at(const unsigned char *at, size_t size, bool big_endian)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)at[i] << 8 * (big_endian ? size - 1 - i : i);
    }
    return value;
}

/* The fields of Elf64_Sym and Elf32_Sym. */
static void read_fields(const symbol_source *source, const unsigned char *at, symbol_entry *entry)
{
    bool big = source->big_endian;
    size_t info = source->wide ? 4 : 12;

    entry->name = (uint32_t)number_at(at, 4, big);
    entry->kind = at[info] & 15;
    entry->binding = at[info] >> 4;
    entry->visibility = at[info + 1] & 3;
    entry->section = (uint16_t)number_at(at + info + 2, 2, big);
    entry->value = source->wide ? number_at(at + 8, 8, big) : number_at(at + 4, 4, big);
    entry->size = source->wide ? number_at(at + 16, 8, big) : number_at(at + 8, 4, big);
}

/* Finds the length of the name. False: it is empty, or too long, or has no end. */
static bool measure_name(const symbol_source *source, symbol_entry *entry)
{
    const unsigned char *start = source->strings + entry->name;
    const unsigned char *end = NULL, *sign = NULL;
    size_t left = 0;

    if (entry->name >= source->strings_size) {
        return false;
    }
    left = source->strings_size - entry->name;
    end = memchr(start, 0, left < NAME_MOST ? left : NAME_MOST);
    if (end == NULL || end == start) {
        return false;
    }
    entry->length = (uint32_t)(end - start);
    sign = memchr(start + 1, '@', entry->length - 1);
    if (sign != NULL) {
        entry->length = (uint32_t)(sign - start);
        entry->versioned = true;
    }
    return true;
}

static bool is_definition(const symbol_entry *entry)
{
    return entry->section != SECTION_UNDEFINED && entry->kind != KIND_SECTION &&
           entry->kind != KIND_FILE;
}

static void read_version(const symbol_source *source, symbol_entry *entry)
{
    uint64_t at = 2 * (uint64_t)entry->number;

    if (source->versions != NULL && at + 2 <= source->versions_size) {
        uint64_t version = number_at(source->versions + at, 2, source->big_endian);

        entry->versioned = entry->versioned || (version & VERSION_HIDDEN) != 0 || version > 1;
    }
}

static void read_source(const symbol_source *source, uint8_t index, symbol_entries *entries)
{
    size_t size = source->wide ? 24 : 16;
    size_t count = source->entries_size / size;

    for (size_t i = 0; i < count && i < UINT32_MAX; i++) {
        symbol_entry entry = {.number = (uint32_t)i, .source = index};

        read_fields(source, source->entries + i * size, &entry);
        if (!is_definition(&entry) || !measure_name(source, &entry)) {
            continue;
        }
        read_version(source, &entry);
        entry.has_place = entry.kind != SYMBOL_THREAD_LOCAL && entry.section != SECTION_ABSOLUTE &&
                          entry.section != SECTION_COMMON;
        entry.is_replaceable = entry.kind == SYMBOL_OBJECT && entry.binding != BINDING_LOCAL &&
                               entry.visibility == VISIBLE;
        entries->all[entries->count++] = entry;
    }
}

/* FNV-1a of 64 bits. */
static uint64_t hash_of(const unsigned char *text, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* The symbols of one hash, which is nearly always one name. */
static symbol_use classify_run(const symbol_source *sources, const symbol_entry *all,
                               const radix_entry *run, size_t count)
{
    const symbol_entry *first = &all[run[0].value];
    const unsigned char *name = symbol_entry_name(sources, first);
    bool one_name = true, one_value = true, plain = true, has_place = true;

    for (size_t i = 0; i < count; i++) {
        const symbol_entry *each = &all[run[i].value];

        one_name = one_name && each->length == first->length &&
                   memcmp(symbol_entry_name(sources, each), name, first->length) == 0;
        one_value = one_value && each->value == first->value;
        plain = plain && !each->versioned &&
                sources[each->source].secondary == sources[first->source].secondary;
        has_place = has_place && each->has_place && each->kind != SYMBOL_INDIRECT;
    }
    if (!one_name) {
        return SYMBOL_VERSION; /* the caller asks for each */
    }
    if (one_value) {
        return has_place ? SYMBOL_ALONE : SYMBOL_SHARED;
    }
    return plain ? SYMBOL_SHARED : SYMBOL_VERSION;
}

/* Returns whether all names together are as long as those of a hostile file. */
static bool is_overlong(const symbol_source *sources, size_t source_count,
                        const symbol_entries *entries)
{
    uint64_t left = NAME_MOST;
    bool fits = true;

    for (size_t i = 0; i < source_count; i++) {
        left += SHARED_MOST * (uint64_t)sources[i].strings_size;
    }
    for (size_t i = 0; fits && i < entries->count; i++) {
        fits = entries->all[i].length <= left;
        left -= fits ? entries->all[i].length : 0;
    }
    return !fits;
}

/* Classifies the names of all entries; `keys` has room for two of each. */
static void classify_names(const symbol_source *sources, symbol_entries *entries, radix_entry *keys)
{
    size_t count = entries->count;
    radix_entry *sorted = NULL;

    for (size_t i = 0; i < count; i++) {
        const symbol_entry *each = &entries->all[i];

        if (entries->overlong) { /* no name is known to be the only one */
            entries->all[i].use = SYMBOL_SHARED;
        } else {
            keys[i].key = hash_of(symbol_entry_name(sources, each), each->length);
            keys[i].value = i;
        }
    }
    if (entries->overlong) {
        return;
    }
    sorted = radix_sort(keys, keys + count, count, 0);
    for (size_t from = 0, to = 0; from < count; from = to) {
        symbol_use use;

        for (to = from + 1; to < count && sorted[to].key == sorted[from].key; to++) {
        }
        use = classify_run(sources, entries->all, sorted + from, to - from);
        for (size_t i = from; i < to; i++) {
            entries->all[sorted[i].value].use = (uint8_t)use;
        }
    }
}

bool symbol_entries_read(const symbol_source *sources, size_t count, symbol_entries *entries)
{
    size_t most = 0;
    radix_entry *keys = NULL;

    *entries = (symbol_entries){0};
    for (size_t i = 0; i < count; i++) {
        most += sources[i].entries_size / (sources[i].wide ? 24 : 16);
    }
    if (count > SYMBOL_SOURCES || most >= UINT32_MAX ||
        most > SIZE_MAX / 2 / sizeof *entries->all) {
        return false;
    }
    entries->all = malloc(most > 0 ? most * sizeof *entries->all : 1);
    if (entries->all == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        read_source(&sources[i], (uint8_t)i, entries);
    }
    entries->overlong = is_overlong(sources, count, entries);
    keys = malloc(2 * entries->count * sizeof *keys + 1);
    if (keys != NULL) {
        classify_names(sources, entries, keys);
    } else {
        symbol_entries_free(entries);
    }
    free(keys);
    return entries->all != NULL;
}

void symbol_entries_free(symbol_entries *entries)
{
    free(entries->all);
    *entries = (symbol_entries){0};
}

bool symbol_entry_contains(const symbol_source *sources, const symbol_entry *entry,
                           const unsigned char *text, size_t length)
{
    const unsigned char *at = symbol_entry_name(sources, entry);
    size_t left = entry->length;

    while (length > 0 && left >= length) {
        const unsigned char *first = memchr(at, text[0], left - length + 1);

        if (first == NULL) {
            return false;
        }
        if (memcmp(first, text, length) == 0) {
            return true;
        }
        left -= (size_t)(first - at) + 1;
        at = first + 1;
    }
    return length == 0;
}

const unsigned char *symbol_entry_name(const symbol_source *sources, const symbol_entry *entry)
{
    return sources[entry->source].strings + entry->name;
}
