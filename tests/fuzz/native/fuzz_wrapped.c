/* Fuzzes the wrapping of engines that other packages started: pointers, objects and tables of any
 * kind, then the core over an engine whose methods answer anything.
 *
 * A word of an object or table is a pointer to memory of every kind that a process has. What is
 * refused, and why, must be what a simple model says, and no reference may stay. An engine that
 * lies can make a request fail; it must not make it read or write outside its caller's memory, take
 * anything but S_OK for a success, or never end.
 */
#define _GNU_SOURCE 1
#include <string.h>
#include <sys/mman.h>

#include "../../../csrc/com/hresult.h"
#include "../../../csrc/com/iids.h"
#include "../../../csrc/engines/wrapped/wrapped.h"
#include "requests.h"

#define PAGE          4096u
#define OBJECTS       5u
#define ENGINE_MEMORY 16384u
#define ENGINE_BASE   UINT64_C(0x10000)
/* A lying engine may repeat a count of one byte: so many calls end any honest request. */
#define MOST_CALLS 200000u

/* Memory of each kind. A word that points into it is no function and no table. */
static unsigned char *plain, *unreadable, *unmapped, *last_page;
static fuzz_input *the_input;

/* An object: a COM object with one of these tables, if its first word was not changed. */
static struct fake_object {
    const void *table;
    int64_t references;
} * objects;
static const void *tables[OBJECTS][96];

static unsigned char memory[ENGINE_MEMORY];
static bool honest; /* the engine's answers are true, as far as it answers S_OK */
static uint32_t calls;

static HRESULT any_result(void)
{
    static const HRESULT results[] = {
        S_OK,      S_OK,         S_OK,          S_OK,         S_FALSE, E_UNEXPECTED, E_FAIL,
        E_NOTIMPL, E_INVALIDARG, HR_READ_FAULT, HR_NOT_FOUND, 0x10000, E_NOINTERFACE};

    return results[fuzz_below(the_input, 13)];
}

static struct fake_object *object_of(void *This)
{
    struct fake_object *object = This;

    FUZZ_CHECK(object >= objects && object < objects + OBJECTS);
    return object;
}

static ULONG add_ref(void *This)
{
    return (ULONG)++object_of(This)->references;
}

static ULONG release(void *This)
{
    return (ULONG)--object_of(This)->references;
}

/* What the next QueryInterface calls answer, decided beforehand, so that the model knows it. */
static struct {
    HRESULT result;
    void *found;
} answers[3];
static unsigned int asked;

static HRESULT query_interface(void *This, const GUID *id, void **found)
{
    static const GUID *const ids[] = {&iid_debug_data_spaces4, &iid_debug_control,
                                      &iid_debug_client};

    (void)object_of(This);
    FUZZ_CHECK(asked < 3 && memcmp(id, ids[asked], sizeof *id) == 0);
    *found = answers[asked].found;
    for (unsigned int i = 0; i < OBJECTS; i++) {
        objects[i].references += answers[asked].result == S_OK && *found == &objects[i] ? 1 : 0;
    }
    return answers[asked++].result;
}

static HRESULT width_answer;

static HRESULT is_pointer64_bit(void *This)
{
    (void)object_of(This);
    return width_answer;
}

static HRESULT get_debuggee_type(void *This, ULONG *class, ULONG *qualifier)
{
    (void)object_of(This);
    *class = (ULONG)fuzz_below(the_input, 4);
    *qualifier = (ULONG)fuzz_below(the_input, 3) * 1024;
    return any_result();
}

/* Moves some leading bytes, and says of them what it likes. */
static HRESULT move(uint64_t offset, void *buffer, ULONG size, ULONG *count, bool writing)
{
    uint64_t at = offset - ENGINE_BASE;
    uint64_t room = at < ENGINE_MEMORY ? ENGINE_MEMORY - at : 0;
    ULONG whole = (ULONG)(size < room ? size : room), told;
    HRESULT result = any_result();

    calls++;
    if (calls > MOST_CALLS) {
        return E_UNEXPECTED;
    }
    told = whole;
    if (fuzz_below(the_input, 4) == 0) {
        told = whole > 0 ? (ULONG)fuzz_below(the_input, whole) : 0;
    }
    if (writing) {
        memcpy(memory + (at < ENGINE_MEMORY ? at : 0), buffer, told);
    } else {
        memcpy(buffer, memory + (at < ENGINE_MEMORY ? at : 0), told);
    }
    if (!honest && fuzz_below(the_input, 4) == 0) {
        told = (ULONG)fuzz_take(the_input, 4);
    } else if (honest && result == S_OK && told == 0) {
        result = HR_READ_FAULT;
    }
    if (honest || fuzz_below(the_input, 8) != 0) {
        *count = told;
    }
    return result;
}

static HRESULT read_virtual(void *This, ULONG64 offset, void *buffer, ULONG size, ULONG *count)
{
    (void)object_of(This);
    return move(offset, buffer, size, count, false);
}

static HRESULT write_virtual(void *This, ULONG64 offset, void *buffer, ULONG size, ULONG *count)
{
    (void)object_of(This);
    return move(offset, buffer, size, count, true);
}

static HRESULT move_pointers(void *This, ULONG count, ULONG64 offset, ULONG64 *pointers,
                             bool writing)
{
    uint32_t width = width_answer == S_FALSE ? 4 : 8;
    HRESULT result = any_result();
    ULONG whole = count;

    (void)object_of(This);
    calls++;
    if (honest && (offset < ENGINE_BASE || offset - ENGINE_BASE > ENGINE_MEMORY ||
                   count > (ENGINE_MEMORY - (offset - ENGINE_BASE)) / width)) {
        result = HR_READ_FAULT;
    }
    if (result != S_OK || !honest) {
        whole = count > 0 ? (ULONG)fuzz_below(the_input, count) : 0;
    }
    for (ULONG i = 0; i < whole; i++) {
        uint64_t at = offset - ENGINE_BASE + (uint64_t)i * width;

        if (at > ENGINE_MEMORY - width) {
            break;
        }
        if (writing) {
            memcpy(memory + at, &pointers[i], width);
        } else {
            pointers[i] = 0;
            memcpy(&pointers[i], memory + at, width);
        }
    }
    return result;
}

static HRESULT read_pointers(void *This, ULONG count, ULONG64 offset, ULONG64 *pointers)
{
    return move_pointers(This, count, offset, pointers, false);
}

static HRESULT write_pointers(void *This, ULONG count, ULONG64 offset, ULONG64 *pointers)
{
    return move_pointers(This, count, offset, pointers, true);
}

static HRESULT query_virtual(void *This, ULONG64 offset, MEMORY_BASIC_INFORMATION64 *info)
{
    (void)object_of(This);
    memset(info, 0, sizeof *info);
    info->BaseAddress = honest ? offset / PAGE * PAGE : fuzz_take(the_input, 8);
    info->RegionSize = honest ? PAGE : fuzz_take(the_input, 8);
    info->State = MEM_COMMIT;
    info->Type = MEM_PRIVATE;
    info->Protect = fuzz_flag(the_input) ? PAGE_READWRITE : PAGE_READONLY;
    return any_result();
}

/* -- Objects and tables ---------------------------------------------------------------------- */

static const void *code(void (*function)(void))
{
    return (const void *)(uintptr_t)function;
}
#define CODE(function) code((void (*)(void))(function))

static void prepare_once(void)
{
    if (plain != NULL) {
        return;
    }
    plain = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unreadable = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    last_page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FUZZ_CHECK(plain != MAP_FAILED && unreadable != MAP_FAILED && last_page != MAP_FAILED);
    unmapped = last_page + PAGE;
    FUZZ_CHECK(munmap(unmapped, PAGE) == 0);
    objects = (struct fake_object *)(void *)plain;
}

typedef enum word_kind { GOOD, ODD, UNREADABLE_WORD, UNMAPPED, NOT_CODE, AT_THE_END } word_kind;

/* Makes all good, and returns in *where the one word that is not, if there is one. */
static void make_tables(void)
{
    for (unsigned int i = 0; i < OBJECTS; i++) {
        for (unsigned int slot = 0; slot < 96; slot++) {
            tables[i][slot] = CODE(release);
        }
        tables[i][0] = CODE(query_interface);
        tables[i][1] = CODE(add_ref);
        objects[i].table = tables[i];
        objects[i].references = 0;
    }
    tables[1][3] = tables[1][6] = CODE(read_virtual);
    tables[1][4] = tables[1][7] = CODE(write_virtual);
    tables[1][8] = CODE(read_pointers);
    tables[1][9] = CODE(write_pointers);
    tables[1][28] = CODE(query_virtual);
    tables[2][34] = CODE(get_debuggee_type);
    tables[2][42] = CODE(is_pointer64_bit);
    for (unsigned int i = 0; i < 3; i++) {
        answers[i].result = S_OK;
        answers[i].found = &objects[i + 1];
    }
    asked = 0;
}

static const void *word_of(word_kind kind)
{
    switch (kind) {
    case ODD:
        return plain + 65;
    case UNREADABLE_WORD:
        return unreadable + 8;
    case UNMAPPED:
        return unmapped;
    case NOT_CODE:
        return plain + 64;
    default:
        return last_page + PAGE - sizeof(void *);
    }
}

/* Spoils one word on the way, or an answer, and returns the failure that this must give. */
static wrap_failure spoil(fuzz_input *input, uintptr_t *address, uintptr_t *told)
{
    word_kind kind = (word_kind)(1 + fuzz_below(input, 5));
    const void *word = word_of(kind);
    unsigned int which = (unsigned int)fuzz_below(input, 4);
    unsigned int slot = (unsigned int)fuzz_below(input, which == 1 ? 10 : 3);

    *told = (uintptr_t)word;
    switch (fuzz_below(input, 6)) {
    case 0: /* the pointer itself: `plain + 64` and the like hold no table */
        if (kind == NOT_CODE || kind == AT_THE_END) {
            *told = 0;
            memset(plain + 64, 0, 8);
            memset(last_page + PAGE - 8, 0, 8);
        }
        *address = (uintptr_t)word;
        return kind == ODD                              ? WRAP_UNALIGNED
               : kind == NOT_CODE || kind == AT_THE_END ? WRAP_TABLE
                                                        : WRAP_OBJECT;
    case 1: /* an object's table */
        objects[which].table = word;
        if (kind == NOT_CODE || kind == AT_THE_END) {
            /* It is readable: its first entry is no code, or it ends too early. */
            const void *entry = kind == NOT_CODE ? NULL : CODE(add_ref);

            memcpy((void *)(uintptr_t)word, &entry, sizeof entry);
            *told = kind == NOT_CODE ? 0 : (uintptr_t)word;
            return kind == NOT_CODE ? WRAP_SLOT : WRAP_TABLE;
        }
        return WRAP_TABLE;
    case 2: /* a slot that is looked at */
        tables[which][slot] = word;
        return WRAP_SLOT;
    case 3: /* an answer of QueryInterface */
        which = which % 3;
        answers[which].result = any_result();
        answers[which].found = answers[which].result == S_OK ? NULL : (void *)(uintptr_t)word;
        return WRAP_ENGINE;
    case 4: /* of IsPointer64Bit */
        width_answer = E_UNEXPECTED;
        return WRAP_ENGINE;
    default:
        return WRAP_OK;
    }
}

static bool open_engine(fuzz_input *input, wrapped_engine *opened)
{
    uintptr_t address = (uintptr_t)&objects[0], told = 0;
    wrap_failure expected = WRAP_OK;
    wrap_error error;
    bool good;

    make_tables();
    width_answer = fuzz_flag(input) ? S_OK : S_FALSE;
    if (fuzz_below(input, 3) == 0) {
        expected = spoil(input, &address, &told);
    }
    good = wrapped_open(address, opened, &error);
    FUZZ_CHECK(good == (expected == WRAP_OK));
    if (!good) {
        FUZZ_CHECK(error.failure == expected);
        FUZZ_CHECK(expected == WRAP_ENGINE ? error.hresult != S_OK : error.address == told);
        FUZZ_CHECK(opened->client == NULL && opened->control == NULL &&
                   opened->data_spaces == NULL);
    }
    for (unsigned int i = 0; i < OBJECTS; i++) {
        bool held = good && i >= 1 && i <= 3;
        /* Release of an object that does not look right can't be called. */
        bool spoilt = !good && expected != WRAP_ENGINE;

        FUZZ_CHECK(objects[i].references == (held ? 1 : 0) ||
                   (spoilt && objects[i].references == 1));
    }
    return good;
}

/* The leading elements are in the engine's memory; where scattered ones overlap, all of them are
 * painted, and each byte is that of the last. */
static void check_written(const fuzz_request *self, uint64_t leading)
{
    static unsigned char painted[ENGINE_MEMORY];
    uint64_t count = self->request.values.count;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = self->addresses[i] - ENGINE_BASE;

        for (uint32_t b = 0; b < self->width && at < ENGINE_MEMORY - b; b++) {
            painted[at + b] = (unsigned char)(self->values[i] >> (8 * b));
        }
    }
    for (uint64_t i = 0; i < leading; i++) {
        uint64_t at = self->addresses[i] - ENGINE_BASE;

        FUZZ_CHECK(at <= ENGINE_MEMORY - self->width);
        FUZZ_CHECK(memcmp(memory + at, painted + at, self->width) == 0);
    }
}

static void request(fuzz_input *input, const core_target *target)
{
    static core_differences found;
    uint32_t width = width_answer == S_FALSE ? 4 : 8;
    uint64_t what = fuzz_below(input, 8);
    core_status status;
    core_error error;
    fuzz_request self;

    fuzz_request_create(&self, input, ENGINE_BASE, ENGINE_MEMORY, width);
    calls = 0;
    if (what < 4) {
        status = core_write(target, &self.request, &self.pace, &error);
        if (honest) {
            check_written(&self, status == CORE_OK ? self.request.values.count
                                 : error.known     ? error.landed
                                                   : 0);
        }
    } else if (what < 6) {
        status = core_read(target, &self.request, &self.pace, &error);
    } else {
        status = core_compare(target, &self.request, &self.pace, &found, &error);
        FUZZ_CHECK(found.kept <= CORE_MISMATCHES && found.kept <= found.total);
    }
    FUZZ_CHECK(status == error.status);
    FUZZ_CHECK(error.done <= error.count && (!error.known || error.landed <= error.count));
    FUZZ_CHECK(status != CORE_ENGINE || error.hresult != S_OK);
    FUZZ_CHECK(calls < MOST_CALLS);
    fuzz_request_free(&self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    wrapped_engine opened;
    core_target target = {0};

    the_input = &input;
    prepare_once();
    memset(memory, 0, sizeof memory);
    honest = fuzz_flag(&input);
    if (!open_engine(&input, &opened)) {
        return 0;
    }
    target.control = opened.control;
    target.data_spaces = opened.data_spaces;
    target.local = fuzz_flag(&input);
    target.stopped = fuzz_flag(&input);
    for (int i = 0; i < 4 && input.left > 0; i++) {
        request(&input, &target);
    }
    (void)opened.client->lpVtbl->Release(opened.client);
    (void)opened.control->lpVtbl->Release(opened.control);
    (void)opened.data_spaces->lpVtbl->Release(opened.data_spaces);
    for (unsigned int i = 0; i < OBJECTS; i++) {
        FUZZ_CHECK(objects[i].references == 0);
    }
    return 0;
}
