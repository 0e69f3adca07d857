/* The module pydbgwrite._demo_target, for the child process of `pydbgwrite demo`.
 *
 * A table of C function pointers, or objects that each point to one of three such tables; and a
 * call through all of them. Each function mixes its own number and its place into a checksum that
 * depends on the order; so the checksum proves which functions were reached.
 * pydbgwrite/_demo/proof.py computes the same checksum from the same numbers: change both together.
 */
#include "../python/python.h"

#include <stdint.h>
#include <stdlib.h>

#define KINDS  8 /* functions of each table */
#define TABLES 3 /* originals, replacements, and the table that the objects move to */

#define TABLE_NAME   "pydbgwrite._demo_target.table"
#define OBJECTS_NAME "pydbgwrite._demo_target.objects"

typedef struct call_record {
    uint64_t checksum;
    uint64_t calls[TABLES]; /* that reached a function of each table */
} call_record;

typedef void (*demo_function)(call_record *record, uint64_t place);

typedef struct demo_table {
    size_t count;
    demo_function *functions;
} demo_table;

/* As an object of a class with virtual functions: it points to the table that it calls through. */
typedef struct demo_object {
    const demo_function *functions;
    uint64_t kind;
} demo_object;

typedef struct demo_objects {
    size_t count;
    demo_object *all;
} demo_objects;

/* The finalizer of splitmix64 (Steele, Lea, Flood, 2014), then one step of a polynomial hash. */
static void mix(call_record *record, uint64_t place, uint64_t number)
{
    uint64_t value = place + (number + 1) * UINT64_C(0x9E3779B97F4A7C15);

    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    value ^= value >> 31;
    record->checksum = record->checksum * UINT64_C(0x100000001B3) + value;
}

#define FUNCTION(table, kind)                                                                      \
    static void function_##table##_##kind(call_record *record, uint64_t place)                     \
    {                                                                                              \
        record->calls[table]++;                                                                    \
        mix(record, place, (table)*KINDS + (kind));                                                \
    }

#define FUNCTIONS(table)                                                                           \
    FUNCTION(table, 0)                                                                             \
    FUNCTION(table, 1)                                                                             \
    FUNCTION(table, 2)                                                                             \
    FUNCTION(table, 3)                                                                             \
    FUNCTION(table, 4)                                                                             \
    FUNCTION(table, 5)                                                                             \
    FUNCTION(table, 6)                                                                             \
    FUNCTION(table, 7)

FUNCTIONS(0)
FUNCTIONS(1)
FUNCTIONS(2)

#define NAMES(table)                                                                               \
    {                                                                                              \
        function_##table##_0, function_##table##_1, function_##table##_2, function_##table##_3,    \
            function_##table##_4, function_##table##_5, function_##table##_6, function_##table##_7 \
    }

static const demo_function tables[TABLES][KINDS] = {NAMES(0), NAMES(1), NAMES(2)};

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
        table->functions[i] = tables[0][i % KINDS];
    }
done:
    return table;
}

static demo_objects *objects_of(PyObject *capsule)
{
    return PyCapsule_GetPointer(capsule, OBJECTS_NAME);
}

static void free_objects(demo_objects *objects)
{
    if (objects != NULL) {
        free(objects->all);
        free(objects);
    }
}

static void destroy_objects(PyObject *capsule)
{
    free_objects(objects_of(capsule));
}

/* Objects of the first two tables, KINDS of each in turns. NULL if memory is short. */
static demo_objects *create_objects(size_t count)
{
    demo_objects *objects = calloc(1, sizeof *objects);

    if (objects == NULL) {
        goto done;
    }
    objects->all = calloc(count, sizeof *objects->all);
    if (objects->all == NULL) {
        free_objects(objects);
        objects = NULL;
        goto done;
    }
    objects->count = count;
    for (size_t i = 0; i < count; i++) {
        objects->all[i] = (demo_object){tables[i / KINDS % 2], i % KINDS};
    }
done:
    return objects;
}

/* Returns a number of at least 1, or 0 with an exception. */
static size_t count_of(PyObject *argument, const char *what)
{
    Py_ssize_t count = PyNumber_AsSsize_t(argument, PyExc_OverflowError);

    if (count < 1 && !PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "%s 1 pointer or more, got %zd", what, count);
    }
    return count < 1 ? 0 : (size_t)count;
}

static PyObject *make_table(PyObject *module, PyObject *argument)
{
    size_t count = count_of(argument, "a table has");
    demo_table *table = NULL;
    PyObject *capsule = NULL;

    (void)module;
    if (count == 0) {
        goto done;
    }
    table = create_table(count);
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
    call_record record = {0};
    PyObject *result = NULL;

    (void)module;
    if (table != NULL) {
        for (size_t i = 0; i < table->count; i++) {
            table->functions[i](&record, i);
        }
        result =
            Py_BuildValue("(KKK)", (unsigned long long)record.checksum,
                          (unsigned long long)record.calls[0], (unsigned long long)record.calls[1]);
    }
    return result;
}

static PyObject *make_objects(PyObject *module, PyObject *argument)
{
    size_t count = count_of(argument, "objects have");
    demo_objects *objects = NULL;
    PyObject *capsule = NULL;

    (void)module;
    if (count == 0) {
        goto done;
    }
    objects = create_objects(count);
    if (objects == NULL) {
        (void)PyErr_NoMemory();
        goto done;
    }
    capsule = PyCapsule_New(objects, OBJECTS_NAME, destroy_objects);
    if (capsule == NULL) {
        free_objects(objects);
    }
done:
    return capsule;
}

static PyObject *describe_objects(PyObject *module, PyObject *capsule)
{
    const demo_objects *objects = objects_of(capsule);
    PyObject *result = NULL;

    (void)module;
    if (objects != NULL) {
        result = Py_BuildValue("(KK)", (unsigned long long)(uintptr_t)objects->all,
                               (unsigned long long)objects->count * sizeof *objects->all);
    }
    return result;
}

static PyObject *call_objects(PyObject *module, PyObject *capsule)
{
    const demo_objects *objects = objects_of(capsule);
    call_record record = {0};
    PyObject *result = NULL;

    (void)module;
    if (objects != NULL) {
        for (size_t i = 0; i < objects->count; i++) {
            const demo_object *object = &objects->all[i];

            object->functions[object->kind](&record, i);
        }
        result = Py_BuildValue(
            "(K(KKK))", (unsigned long long)record.checksum, (unsigned long long)record.calls[0],
            (unsigned long long)record.calls[1], (unsigned long long)record.calls[2]);
    }
    return result;
}

static PyObject *table_addresses(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue("(KKK)", (unsigned long long)(uintptr_t)tables[0],
                         (unsigned long long)(uintptr_t)tables[1],
                         (unsigned long long)(uintptr_t)tables[2]);
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
    PyObject *first = addresses_of(tables[0]);
    PyObject *second = first == NULL ? NULL : addresses_of(tables[1]);
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
    {"make_objects", make_objects, METH_O,
     PyDoc_STR("make_objects($module, count, /)\n--\n\n"
               "Objects that point to the first or the second of three tables.")},
    {"describe_objects", describe_objects, METH_O,
     PyDoc_STR("describe_objects($module, objects, /)\n--\n\n"
               "(address, bytes) of the objects.")},
    {"call_objects", call_objects, METH_O,
     PyDoc_STR("call_objects($module, objects, /)\n--\n\n"
               "Call a function of each object through its table, in order.\n\n"
               "Returns (checksum, calls by table).")},
    {"table_addresses", table_addresses, METH_NOARGS,
     PyDoc_STR("table_addresses($module, /)\n--\n\n"
               "The addresses of the three tables.")},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
#if defined(Py_GIL_DISABLED)
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pydbgwrite._demo_target",
    .m_doc = PyDoc_STR("Tables of C function pointers, for the child process of the demo."),
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__demo_target(void);

PyMODINIT_FUNC PyInit__demo_target(void)
{
    return PyModuleDef_Init(&definition);
}
