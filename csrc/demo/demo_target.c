/* The module pydbgwrite._demo_target, for the child process of `pydbgwrite demo`.
 *
 * A table of C function pointers, and a call through all of it. Each function mixes its own number
 * and its place in the table into a checksum that depends on the order; so the checksum proves
 * which functions the whole table holds. pydbgwrite/_demo/run.py computes the same checksum from
 * the same numbers: change both together.
 */
#define PY_SSIZE_T_CLEAN
#if !defined(Py_GIL_DISABLED) && !defined(Py_LIMITED_API)
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#include <stdint.h>
#include <stdlib.h>

#define KINDS 8 /* functions of each kind, original and replacement */

#define TABLE_NAME "pydbgwrite._demo_target.table"

typedef struct call_record {
    uint64_t checksum;
    uint64_t originals;    /* calls that reached an original function */
    uint64_t replacements; /* calls that reached a replacement */
} call_record;

typedef void (*demo_function)(call_record *record, uint64_t place);

typedef struct demo_table {
    size_t count;
    demo_function *functions;
} demo_table;

/* The finalizer of splitmix64 (Steele, Lea, Flood, 2014), then one step of a polynomial hash. */
static void mix(call_record *record, uint64_t place, uint64_t number)
{
    uint64_t value = place + (number + 1) * UINT64_C(0x9E3779B97F4A7C15);

    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    value ^= value >> 31;
    record->checksum = record->checksum * UINT64_C(0x100000001B3) + value;
}

#define ORIGINAL(number)                                                                           \
    static void original_##number(call_record *record, uint64_t place)                             \
    {                                                                                              \
        record->originals++;                                                                       \
        mix(record, place, number);                                                                \
    }

#define REPLACEMENT(number)                                                                        \
    static void replacement_##number(call_record *record, uint64_t place)                          \
    {                                                                                              \
        record->replacements++;                                                                    \
        mix(record, place, KINDS + number);                                                        \
    }

ORIGINAL(0)
ORIGINAL(1)
ORIGINAL(2)
ORIGINAL(3)
ORIGINAL(4)
ORIGINAL(5)
ORIGINAL(6)
ORIGINAL(7)
REPLACEMENT(0)
REPLACEMENT(1)
REPLACEMENT(2)
REPLACEMENT(3)
REPLACEMENT(4)
REPLACEMENT(5)
REPLACEMENT(6)
REPLACEMENT(7)

static const demo_function originals[KINDS] = {original_0, original_1, original_2, original_3,
                                               original_4, original_5, original_6, original_7};

static const demo_function replacements[KINDS] = {replacement_0, replacement_1, replacement_2,
                                                  replacement_3, replacement_4, replacement_5,
                                                  replacement_6, replacement_7};

static demo_table *table_of(PyObject *capsule)
{
    return PyCapsule_GetPointer(capsule, TABLE_NAME);
}

static void free_table(demo_table *table)
{
    if (table != NULL) {
        free(table->functions);
        free(table);
    }
}

static void destroy_table(PyObject *capsule)
{
    free_table(table_of(capsule));
}

/* NULL if memory is short. */
static demo_table *create_table(size_t count)
{
    demo_table *table = NULL;

    if (count > SIZE_MAX / sizeof *table->functions) {
        goto done;
    }
    table = calloc(1, sizeof *table);
    if (table == NULL) {
        goto done;
    }
    table->functions = malloc(count * sizeof *table->functions);
    if (table->functions == NULL) {
        free_table(table);
        table = NULL;
        goto done;
    }
    table->count = count;
    for (size_t i = 0; i < count; i++) {
        table->functions[i] = originals[i % KINDS];
    }
done:
    return table;
}

static PyObject *make_table(PyObject *module, PyObject *argument)
{
    Py_ssize_t count = PyNumber_AsSsize_t(argument, PyExc_OverflowError);
    demo_table *table = NULL;
    PyObject *capsule = NULL;

    (void)module;
    if (count == -1 && PyErr_Occurred()) {
        goto done;
    }
    if (count < 1) {
        PyErr_Format(PyExc_ValueError, "a table has 1 pointer or more, got %zd", count);
        goto done;
    }
    table = create_table((size_t)count);
    if (table == NULL) {
        (void)PyErr_NoMemory();
        goto done;
    }
    capsule = PyCapsule_New(table, TABLE_NAME, destroy_table);
    if (capsule == NULL) {
        free_table(table);
    }
done:
    return capsule;
}

static PyObject *describe_table(PyObject *module, PyObject *capsule)
{
    const demo_table *table = table_of(capsule);
    PyObject *result = NULL;

    (void)module;
    if (table != NULL) {
        result = Py_BuildValue("(KK)", (unsigned long long)(uintptr_t)table->functions,
                               (unsigned long long)table->count);
    }
    return result;
}

static PyObject *call_table(PyObject *module, PyObject *capsule)
{
    const demo_table *table = table_of(capsule);
    call_record record = {0, 0, 0};
    PyObject *result = NULL;

    (void)module;
    if (table != NULL) {
        for (size_t i = 0; i < table->count; i++) {
            table->functions[i](&record, i);
        }
        result = Py_BuildValue("(KKK)", (unsigned long long)record.checksum,
                               (unsigned long long)record.originals,
                               (unsigned long long)record.replacements);
    }
    return result;
}

static PyObject *addresses_of(const demo_function functions[KINDS])
{
    PyObject *list = PyList_New(KINDS);

    for (Py_ssize_t i = 0; list != NULL && i < KINDS; i++) {
        PyObject *address = PyLong_FromUnsignedLongLong((uintptr_t)functions[i]);

        if (address == NULL || PyList_SetItem(list, i, address) < 0) {
            Py_DECREF(list);
            list = NULL;
        }
    }
    return list;
}

static PyObject *function_addresses(PyObject *module, PyObject *unused)
{
    PyObject *first = addresses_of(originals);
    PyObject *second = first == NULL ? NULL : addresses_of(replacements);
    PyObject *result = second == NULL ? NULL : PyTuple_Pack(2, first, second);

    (void)module;
    (void)unused;
    Py_XDECREF(second);
    Py_XDECREF(first);
    return result;
}

static PyMethodDef functions[] = {
    {"make_table", make_table, METH_O,
     PyDoc_STR("make_table($module, count, /)\n--\n\n"
               "A table of count pointers to the original functions, in turns.")},
    {"describe_table", describe_table, METH_O,
     PyDoc_STR("describe_table($module, table, /)\n--\n\n"
               "(address, count) of a table.")},
    {"call_table", call_table, METH_O,
     PyDoc_STR("call_table($module, table, /)\n--\n\n"
               "Call through every pointer of a table, in order.\n\n"
               "Returns (checksum, calls to originals, calls to replacements).")},
    {"function_addresses", function_addresses, METH_NOARGS,
     PyDoc_STR("function_addresses($module, /)\n--\n\n"
               "The addresses of the original functions, and of the replacements: two lists.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pydbgwrite._demo_target",
    .m_doc = PyDoc_STR("A table of C function pointers, for the child process of the demo."),
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__demo_target(void);

PyMODINIT_FUNC PyInit__demo_target(void)
{
    return PyModuleDef_Init(&definition);
}
