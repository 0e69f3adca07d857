/* Session._search: finding words in the target's memory. */
#include "session_search.h"

#include <string.h>

#include "../core/narrow.h"
#include "../core/search/search.h"
#include "failures.h"
#include "long_work.h"
#include "method_call.h"
#include "pointer_output.h"

/* What a search is for, as Python gives it: a range, unless there are values. */
typedef struct search_for {
    unsigned long long low, high, mask, limit;
    int aligned;
} search_for;

/* Appends an array('Q') to the list. False: an exception is set. */
static bool append_numbers(module_state *state, PyObject *list, const uint64_t *numbers,
                           size_t count)
{
    pointer_output output;
    PyObject *array = NULL;
    bool good;

    pointer_output_init(&output);
    if (pointer_output_take(&output, state, NULL, count)) {
        if (count > 0) {
            memcpy((void *)(uintptr_t)output.memory.view.first, numbers, count * sizeof *numbers);
        }
        array = pointer_output_result(&output, count);
    }
    pointer_output_release(&output);
    good = array != NULL && PyList_Append(list, array) == 0;
    Py_XDECREF(array);
    return good;
}

/* Appends what was found, also if an exception is set: then that stays. */
static bool append_found(module_state *state, PyObject *list, const core_found *found)
{
    PyObject *type, *value, *trace;
    bool good;

    PyErr_Fetch(&type, &value, &trace);
    good = append_numbers(state, list, found->words.first, found->words.count) &&
           append_numbers(state, list, found->words.second, found->words.count) &&
           append_numbers(state, list, found->skipped.first, found->skipped.count) &&
           append_numbers(state, list, found->skipped.second, found->skipped.count) &&
           PyList_Append(list, found->cut ? Py_True : Py_False) == 0;
    if (type != NULL) {
        PyErr_Restore(type, value, trace);
    }
    return good;
}

/* Prepares the words; false: *error says why, or memory is short. */
static bool prepare(search_words *words, const session_object *session, const search_for *wanted,
                    const pointer_view *values, bool foreign, const core_pace *pace,
                    core_error *error)
{
    uint32_t width = core_pointer_size(&session->target, error);
    uint32_t step = wanted->aligned ? width : 1;

    error->count = values->count;
    if (error->status != CORE_OK) {
        return false;
    }
    if (values->count == 0) {
        *words = search_words_range(wanted->low, wanted->high, wanted->mask, width, step);
        return true;
    }
    if (foreign && !core_readable(&session->target, values, sizeof(uint64_t), "wanted", error)) {
        return false;
    }
    if (width == 4 && !core_check_values(values, pace, error)) {
        error->purpose = values->count == 1 ? "one wanted" : "wanted";
        return false;
    }
    if (!search_words_set(words, values, wanted->mask, width, step)) {
        core_engine_error(error, "ReadVirtual", E_OUTOFMEMORY);
        return false;
    }
    return true;
}

/* After the search, with the GIL: unreadable memory may be that of a target which has ended. */
static void check_target(const session_object *session, const core_found *found, core_error *error)
{
    if (error->status == CORE_OK && found->skipped.count > 0 &&
        session_gone(session) != BACKING_THERE) {
        core_engine_error(error, "ReadVirtual", E_UNEXPECTED);
    }
    error->known = error->status != CORE_ENGINE;
}

KEYWORD_METHOD(session_search)
{
    enum { WANTED, HOW, STARTS, SIZES, PROGRESS, FOUND };
    static const char *const parameters[] = {"wanted",   "how",   "starts", "sizes",
                                             "progress", "found", NULL};
    static const call_signature signature = {"_search", parameters, 6, 6, false};
    method_call call;
    PyObject *progress = NULL, *result = NULL;
    pointer_input values, starts, sizes;
    core_found found = {0};
    search_words words = {.table = NULL};
    search_for wanted;
    core_error error = {.status = CORE_OK};
    core_search search;
    bool foreign, begun, searched;
    long_work work;

    pointer_input_init(&values);
    pointer_input_init(&starts);
    pointer_input_init(&sizes);
    values.view.count = 0;
    if (!method_begin(&call, (session_object *)self, &signature, arguments, count, names) ||
        !PyArg_ParseTuple(call.values[HOW], "KKKKp", &wanted.low, &wanted.high, &wanted.mask,
                          &wanted.limit, &wanted.aligned) ||
        !arguments_callable(call.values[PROGRESS], "progress", &progress) ||
        !pointer_input_take(&starts, call.session->state, NULL, call.values[STARTS], "starts") ||
        !pointer_input_take(&sizes, call.session->state, NULL, call.values[SIZES], "sizes") ||
        (call.values[WANTED] != Py_None &&
         !pointer_input_take(&values, call.session->state, &call.names, call.values[WANTED],
                             "wanted"))) {
        goto done;
    }
    if (call.values[WANTED] != Py_None && values.view.count == 0) {
        PyErr_SetString(PyExc_ValueError, "wanted is empty: give at least one value to search for");
        goto done;
    }
    foreign =
        values.buffer.obj != NULL && arguments_may_be_gone(call.session->state, &values.buffer);
    search = (core_search){&words, (const uint64_t *)(const void *)starts.view.first,
                           (const uint64_t *)(const void *)sizes.view.first,
                           (size_t)starts.view.count, wanted.limit};
    long_work_prepare(&work, call.session, progress, 1);
    long_work_begin(&work, call.session, UINT64_MAX);
    begun = prepare(&words, call.session, &wanted, &values.view, foreign, &work.pace, &error);
    searched = begun && core_search_run(&call.session->target, &search, &work.pace, &found, &error);
    long_work_end(&work);
    if (searched) {
        check_target(call.session, &found, &error);
    }
    if (long_work_finish(&work, call.session, &error, false)) {
        result = Py_NewRef(Py_None);
    }
    if (begun && !append_found(call.session->state, call.values[FOUND], &found)) {
        Py_CLEAR(result);
    }
done:
    core_found_free(&found);
    search_words_free(&words);
    pointer_input_release(&sizes);
    pointer_input_release(&starts);
    pointer_input_release(&values);
    return method_end(&call, result);
}
