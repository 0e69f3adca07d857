/* The module pydbgwrite._core: its state, its functions, its constants. */
#include "data_spaces.h"
#include "../core/bulk.h"
#include "docstrings.h"
#include "file_descriptor.h"
#include "journal_checksum.h"
#include "classified_elements.h"
#include "module_symbols.h"
#include "moved_pointers.h"
#include "name_addresses.h"
#include "opening/simulated.h"
#include "opening/wrapped.h"
#include "ranges_type.h"
#include "record_log.h"
#include "record_log_type.h"
#include "recorded_write.h"
#include "session.h"
#include "session_type.h"

#if defined(__linux__)
#include "opening/linux.h"
#endif
#if defined(_WIN32)
#include "opening/dbgeng.h"
#endif

/* Looks up the Python objects that C uses. pydbgwrite/_from_c.py has all that are of this package.
 */
static bool import_all(module_state *state)
{
    PyObject *own = PyImport_ImportModule("pydbgwrite._from_c");
    PyObject *os = PyImport_ImportModule("os");
    bool good = own != NULL && os != NULL;

    state->from_c = own;
    state->os_close = os == NULL ? NULL : PyObject_GetAttrString(os, "close");
    Py_XDECREF(os);
    if (good) {
        state->wrong_thread = PyObject_GetAttrString(own, "WrongThreadError");
        state->session_closed = PyObject_GetAttrString(own, "SessionClosedError");
        state->session_busy = PyObject_GetAttrString(own, "SessionBusyError");
        state->read_only = PyObject_GetAttrString(own, "ReadOnlyError");
        state->no_target = PyObject_GetAttrString(own, "NoTargetError");
        good = state->wrong_thread != NULL && state->session_closed != NULL &&
               state->session_busy != NULL && state->read_only != NULL &&
               state->no_target != NULL && state->os_close != NULL;
    }
    return good;
}

static int execute(PyObject *module)
{
    bool good =
        import_all(state_of_module(module)) && session_type_add(module) &&
        data_spaces_add_types(module) && file_descriptor_add_type(module) &&
        module_symbols_add_type(module) && record_log_add_type(module) && ranges_add_type(module) &&
        PyModule_AddIntConstant(module, "GIL_RELEASE_BYTES", GIL_RELEASE_BYTES) == 0 &&
        PyModule_AddIntConstant(module, "BULK_THRESHOLD_POINTERS", BULK_THRESHOLD_POINTERS) == 0 &&
        PyModule_AddIntConstant(module, "RECORD_BYTES", RECORD_BYTES) == 0 &&
        PyModule_AddIntConstant(module, "RECORD_BYTES_SCATTERED", RECORD_BYTES_SCATTERED) == 0 &&
        PyModule_AddIntConstant(module, "RECORDS_IN_MEMORY", RECORDS_IN_MEMORY) == 0 &&
        classified_add_constants(module);

    return good ? 0 : -1;
}

#define EACH_REFERENCE(apply)                                                                      \
    apply(session_type) apply(data_spaces_type) apply(memory_information_type)                     \
        apply(file_descriptor_type) apply(os_close) apply(from_c) apply(wrong_thread)              \
            apply(session_closed) apply(session_busy) apply(read_only) apply(no_target)            \
                apply(module_symbols_type) apply(record_log_type) apply(ranges_type)

#define EACH_KEPT(apply)                                                                           \
    apply(no_sequences) apply(heap_buffers) apply(plain_buffer) apply(zero_word)

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = state_of_module(module);

#define VISIT(name)      Py_VISIT(state->name);
#define VISIT_KEPT(name) Py_VISIT(state_kept(&state->name));
    EACH_REFERENCE(VISIT)
    EACH_KEPT(VISIT_KEPT)
#undef VISIT
#undef VISIT_KEPT
    return 0;
}

static int clear(PyObject *module)
{
    module_state *state = state_of_module(module);

#define CLEAR(name)      Py_CLEAR(state->name);
#define CLEAR_KEPT(name) state_replace(&state->name, NULL);
    EACH_REFERENCE(CLEAR)
    EACH_KEPT(CLEAR_KEPT)
#undef CLEAR
#undef CLEAR_KEPT
    return 0;
}

static void release(void *module)
{
    (void)clear(module);
}

#define FUNCTION(name, function, flags)                                                            \
    {                                                                                              \
#name, function, flags, PyDoc_STR(DOC_##name)                                              \
    }

static PyMethodDef functions[] = {
    FUNCTION(simulate, open_simulated, METH_VARARGS),
    FUNCTION(wrap, open_wrapped, METH_VARARGS),
    FUNCTION(checksum, journal_checksum, METH_VARARGS),
    FUNCTION(plain_mangled, module_symbols_plain, METH_O),
    FUNCTION(name_addresses, name_addresses, METH_VARARGS),
    FUNCTION(moved_pointers, moved_pointers, METH_VARARGS),
    FUNCTION(classify, classified_elements, METH_VARARGS),
    FUNCTION(pick_classified, classified_pick, METH_VARARGS),
    FUNCTION(place_classified, classified_places, METH_VARARGS),
    FUNCTION(find_overlaps, classified_overlaps, METH_VARARGS),
#if defined(__linux__)
    FUNCTION(linux_attach, open_linux_attach, METH_VARARGS),
    FUNCTION(linux_suspend, open_linux_suspend, METH_VARARGS),
    FUNCTION(linux_launch, open_linux_launch, METH_VARARGS),
#endif
#if defined(_WIN32)
    FUNCTION(dbgeng_load, open_dbgeng_load, METH_O),
    FUNCTION(dbgeng_loaded, open_dbgeng_loaded, METH_NOARGS),
    FUNCTION(dbgeng_file_of, open_dbgeng_file_of, METH_O),
    FUNCTION(dbgeng_attach, open_dbgeng_attach, METH_VARARGS),
    FUNCTION(dbgeng_launch, open_dbgeng_launch, METH_VARARGS),
    FUNCTION(dbgeng_open_dump, open_dbgeng_dump, METH_VARARGS),
    FUNCTION(dbgeng_attach_kernel, open_dbgeng_kernel, METH_VARARGS),
    FUNCTION(dbgeng_connect, open_dbgeng_connect, METH_VARARGS),
    FUNCTION(dbgeng_process_server, open_dbgeng_process_server, METH_VARARGS),
    FUNCTION(dbgeng_running_ids, open_dbgeng_running_ids, METH_O),
    FUNCTION(dbgeng_running_program, open_dbgeng_running_program, METH_VARARGS),
    FUNCTION(dbgeng_disconnect, open_dbgeng_disconnect, METH_O),
#endif
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)execute},
#if defined(Py_GIL_DISABLED)
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pydbgwrite._core",
    .m_doc = PyDoc_STR("The compiled half of pydbgwrite."),
    .m_size = sizeof(module_state),
    .m_methods = functions,
    .m_slots = module_slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
