/* Taking interfaces from an engine that another package started; see wrapped.h.
 *
 * A pointer from outside is checked before it is used: it must point to readable memory, which must
 * begin with a pointer to a table whose first slots hold code. A pointer that passes is taken for a
 * COM object; one that only looks like a COM object can't be told from it.
 */
#include "wrapped.h"

#include <string.h>

#include "../../com/hresult.h"
#include "../../com/iids.h"
#if defined(_WIN32)
#include "../dbgeng/wrapped.h"
#endif
#include "../embedded/client.h"
#include "../own_memory.h"

#define UNKNOWN_SLOTS     3u  /* IUnknown */
#define DATA_SPACES_SLOTS 10u /* up to WritePointersVirtual */

static bool fail(wrap_error *error, wrap_failure failure, uintptr_t address, unsigned int slot)
{
    error->failure = failure;
    error->address = address;
    error->slot = slot;
    return false;
}

static bool fail_engine(wrap_error *error, const char *operation, HRESULT hresult)
{
    error->failure = WRAP_ENGINE;
    error->operation = operation;
    error->hresult = hresult;
    return false;
}

static uintptr_t word_at(uintptr_t address)
{
    uintptr_t word = 0;

    memcpy(&word, (const void *)address, sizeof word);
    return word;
}

/* Returns whether there is a word of readable memory, or of code. *known: false if that can't be
 * found out. */
static bool is_memory(uintptr_t address, bool code, own_region *region, bool *known)
{
    own_memory_answer answer = own_memory_at(address, region);

    *known = answer != OWN_MEMORY_UNKNOWN;
    return answer == OWN_MEMORY_FOUND && (code ? region->executable : region->readable);
}

/* Returns whether `address` may be an object whose vtable has this many slots. */
static bool looks_right(uintptr_t address, unsigned int slots, wrap_error *error)
{
    own_region data = {0, 0, false, false}, code = {0, 0, false, false};
    uintptr_t table = 0;
    bool known = true;

    if (address % sizeof(void *) != 0) {
        return fail(error, WRAP_UNALIGNED, address, 0);
    }
    if (!is_memory(address, false, &data, &known)) {
        return fail(error, known ? WRAP_OBJECT : WRAP_UNKNOWN, address, 0);
    }
    table = word_at(address);
    for (unsigned int slot = 0; slot < slots; slot++) {
        uintptr_t at = table + slot * sizeof(void *), entry = 0;

        if (table % sizeof(void *) != 0 || at < table || !is_memory(at, false, &data, &known)) {
            return fail(error, known ? WRAP_TABLE : WRAP_UNKNOWN, table, slot);
        }
        entry = word_at(at);
        if (!is_memory(entry, true, &code, &known)) {
            return fail(error, known ? WRAP_SLOT : WRAP_UNKNOWN, entry, slot);
        }
    }
    return true;
}

/* Returns an interface with a reference, or NULL and *error. */
static void *query(uintptr_t address, const GUID *id, unsigned int slots, const char *operation,
                   wrap_error *error)
{
    IDebugClient5 *object = (IDebugClient5 *)address; /* only its IUnknown is used */
    void *found = NULL;
    HRESULT status = object->lpVtbl->QueryInterface(object, id, &found);

    if (status != S_OK || found == NULL) {
        found = NULL;
        (void)fail_engine(error, operation, status == S_OK ? E_POINTER : status);
    } else if (!looks_right((uintptr_t)found, slots, error)) {
        found = NULL; /* no known object: Release can't be called */
    }
    return found;
}

/* -- The backing of such a session: it has no target to leave -------------------------------- */

static HRESULT leave_alone(backing *self, bool terminate, bool owner, const char **method)
{
    (void)self;
    (void)terminate;
    (void)owner;
    (void)method;
    return S_OK;
}

static backing_gone not_known(const backing *self)
{
    (void)self;
    return BACKING_THERE;
}

static void do_nothing(backing *self)
{
    (void)self;
}

static const backing_operations operations = {leave_alone, not_known, do_nothing};
static backing nothing_behind = {&operations};

static backing *create_backing(wrapped_engine *opened, wrap_error *error)
{
    backing *behind = &nothing_behind;

#if defined(_WIN32)
    if (opened->embedded == NULL) {
        dbgeng_error failure = {DBGENG_OK, S_OK, 0, NULL};
        bool is_process = strcmp(opened->kind, "process") == 0;

        behind = dbgeng_wrapped_create(opened->client, is_process, &opened->process_id, &failure);
        if (behind == NULL) {
            (void)fail_engine(error, failure.operation, failure.hresult);
        }
    }
#else
    (void)error;
#endif
    opened->code = word_at((uintptr_t)opened->client->lpVtbl);
    return behind;
}

/* -------------------------------------------------------------------------------------------- */

/* Returns whether there is a target now. Otherwise its width could not be found out or asked for.
 */
static bool is_accessible(const wrapped_engine *opened, wrap_error *error)
{
    HRESULT status = opened->control->lpVtbl->IsPointer64Bit(opened->control);

    return status == S_OK || status == S_FALSE ? true
                                               : fail_engine(error, "IsPointer64Bit", status);
}

static void describe(wrapped_engine *opened)
{
    ULONG class = 0, qualifier = 0;

    opened->kind = "process";
    opened->embedded = embedded_client_target(opened->client);
    if (opened->embedded != NULL) {
        opened->process_id = opened->embedded->process_id;
        if (opened->process_id == 0) {
            opened->kind = "simulated";
        }
    } else if (opened->control->lpVtbl->GetDebuggeeType(opened->control, &class, &qualifier) ==
               S_OK) {
        if (qualifier >= DEBUG_USER_WINDOWS_SMALL_DUMP) {
            opened->kind = "dump";
        } else if (class == DEBUG_CLASS_KERNEL) {
            opened->kind = "kernel";
        }
    }
}

bool wrapped_open(uintptr_t address, wrapped_engine *opened, wrap_error *error)
{
    bool good = false;

    memset(opened, 0, sizeof *opened);
    memset(error, 0, sizeof *error);
    if (!looks_right(address, UNKNOWN_SLOTS, error)) {
        goto done;
    }
    opened->data_spaces = query(address, &iid_debug_data_spaces4, DATA_SPACES_SLOTS,
                                "QueryInterface(IDebugDataSpaces4)", error);
    if (opened->data_spaces == NULL) {
        goto done;
    }
    opened->control =
        query(address, &iid_debug_control, UNKNOWN_SLOTS, "QueryInterface(IDebugControl)", error);
    if (opened->control == NULL) {
        goto done;
    }
    opened->client =
        query(address, &iid_debug_client, UNKNOWN_SLOTS, "QueryInterface(IDebugClient)", error);
    if (opened->client == NULL) {
        goto done;
    }
    describe(opened);
    if (is_accessible(opened, error)) {
        opened->behind = create_backing(opened, error);
        good = opened->behind != NULL;
    }
done:
    if (!good) {
        if (opened->client != NULL) {
            (void)opened->client->lpVtbl->Release(opened->client);
        }
        if (opened->control != NULL) {
            (void)opened->control->lpVtbl->Release(opened->control);
        }
        if (opened->data_spaces != NULL) {
            (void)opened->data_spaces->lpVtbl->Release(opened->data_spaces);
        }
        memset(opened, 0, sizeof *opened);
    }
    return good;
}
