/* The symbols that an ELF file defines, read from its tables (elf(5)).
 *
 * The tables come from a target's files and memory: every offset is checked, and no step takes
 * more than about the tables' own size.
 */
#ifndef PYDBGWRITE_CORE_SYMBOLS_ENTRIES_H
#define PYDBGWRITE_CORE_SYMBOLS_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a section lies in memory, by the file's addresses. */
typedef struct symbol_section {
    uint64_t address;
    uint64_t size;
} symbol_section;

/* A symbol table of a file. The caller keeps the memory. */
typedef struct symbol_source {
    const unsigned char *entries;
    size_t entries_size;
    const unsigned char *strings;
    size_t strings_size;
    const unsigned char *versions; /* .gnu.version; NULL if the symbols have none */
    size_t versions_size;
    const symbol_section *sections; /* NULL if they are not known */
    size_t section_count;
    bool wide; /* 64 bits */
    bool big_endian;
    bool secondary; /* a debug file's: looked at where the other tables lack a name */
} symbol_source;

/* Whether "module!name" means this symbol. */
typedef enum symbol_use {
    SYMBOL_ALONE,   /* each symbol of that name is at its address */
    SYMBOL_VERSION, /* the versions of the symbols of that name decide */
    SYMBOL_SHARED,  /* the name means several, or one without an address */
} symbol_use;

typedef enum symbol_kind {
    SYMBOL_UNTYPED = 0,
    SYMBOL_OBJECT = 1,
    SYMBOL_FUNCTION = 2,
    SYMBOL_COMMON = 5,
    SYMBOL_THREAD_LOCAL = 6,
    SYMBOL_INDIRECT = 10,
} symbol_kind;

typedef struct symbol_entry {
    uint64_t value;
    uint64_t size;
    uint32_t number; /* in its table */
    uint32_t name;   /* its place in the table's strings */
    uint32_t length; /* of the name before a version that follows '@' */
    uint16_t section;
    uint8_t source;
    uint8_t kind;
    uint8_t binding;
    uint8_t visibility;
    uint8_t use;
    bool versioned;      /* the name has a version behind '@', or is one of another version */
    bool has_place;      /* an address in the module, of its own or of an indirect function */
    bool is_replaceable; /* a variable that another module's can replace */
} symbol_entry;

typedef struct symbol_entries {
    symbol_entry *all;
    size_t count;
    bool overlong; /* the names share so much memory that looking at each would take too long */
} symbol_entries;

#define SYMBOL_SOURCES 8

/* Reads all definitions, and classifies their names. False: there is not enough memory, or there
 * are more than 2^32 - 2 of them. */
bool symbol_entries_read(const symbol_source *sources, size_t count, symbol_entries *entries);

void symbol_entries_free(symbol_entries *entries);

/* Returns whether the name, without a version, contains these bytes. */
bool symbol_entry_contains(const symbol_source *sources, const symbol_entry *entry,
                           const unsigned char *text, size_t length);

/* Returns the name's first byte. */
const unsigned char *symbol_entry_name(const symbol_source *sources, const symbol_entry *entry);

#endif
