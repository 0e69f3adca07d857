/* The raw layer's calls about regions of the target's memory. */
#include "data_spaces_regions.h"

#include "../core/query.h"
#include "docstrings.h"
#include "failures.h"
#include "raw_call.h"

static PyStructSequence_Field information_fields[] = {
    {"base_address", DOC_MemoryBasicInformation_base_address},
    {"allocation_base", DOC_MemoryBasicInformation_allocation_base},
    {"allocation_protect", DOC_MemoryBasicInformation_allocation_protect},
    {"region_size", DOC_MemoryBasicInformation_region_size},
    {"state", DOC_MemoryBasicInformation_state},
    {"protect", DOC_MemoryBasicInformation_protect},
    {"type", DOC_MemoryBasicInformation_type},
    {NULL, NULL},
};

static PyStructSequence_Desc information_description = {
    "pydbgwrite.MemoryBasicInformation",
    DOC_MemoryBasicInformation,
    information_fields,
    7,
};

PyObject *raw_memory_information_type(void)
{
    return (PyObject *)PyStructSequence_NewType(&information_description);
}

static PyObject *information_of(const module_state *state, const MEMORY_BASIC_INFORMATION64 *info)
{
    const uint64_t fields[] = {info->BaseAddress, info->AllocationBase, info->AllocationProtect,
                               info->RegionSize,  info->State,          info->Protect,
                               info->Type};
    PyObject *result = PyStructSequence_New((PyTypeObject *)state->memory_information_type);

    for (Py_ssize_t i = 0; result != NULL && i < (Py_ssize_t)(sizeof fields / sizeof *fields);
         i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(fields[i]);

        if (number == NULL) {
            Py_CLEAR(result);
        } else {
            PyStructSequence_SetItem(result, i, number); /* takes the reference */
        }
    }
    return result;
}

KEYWORD_METHOD(raw_query_virtual)
{
    static const char *const parameters[] = {"offset", NULL};
    static const call_signature signature = {"query_virtual", parameters, 1, 1, false};
    method_call call;
    PyObject *result = NULL;
    MEMORY_BASIC_INFORMATION64 info = {0};
    uint64_t offset = 0;
    HRESULT status;

    if (!raw_begin(&call, self, &signature, arguments, count, names) ||
        !arguments_unsigned(call.values[0], "offset", &offset)) {
        goto done;
    }
    method_leave_python(&call, 0);
    status = core_query(&call.session->target, offset, &info);
    method_enter_python(&call);
    if (status == S_OK) {
        result = information_of(call.session->state, &info);
    } else {
        failure_raise_at(call.session, "QueryVirtual", status, offset, 0, false);
    }
done:
    return method_end(&call, result);
}

KEYWORD_METHOD(raw_get_valid_region_virtual)
{
    static const char *const parameters[] = {"base", "size", NULL};
    static const call_signature signature = {"get_valid_region_virtual", parameters, 2, 2, false};
    method_call call;
    PyObject *result = NULL;
    uint64_t base = 0;
    uint32_t size = 0;
    ULONG64 valid_base = 0;
    ULONG valid_size = 0;
    HRESULT status;

    if (!raw_begin(&call, self, &signature, arguments, count, names) ||
        !arguments_unsigned(call.values[0], "base", &base) ||
        !arguments_ulong(call.values[1], "size", &size)) {
        goto done;
    }
    method_leave_python(&call, 0);
    status = raw_spaces(&call)->lpVtbl->GetValidRegionVirtual(raw_spaces(&call), base, size,
                                                              &valid_base, &valid_size);
    method_enter_python(&call);
    if (status == S_OK) {
        result = Py_BuildValue("(Kk)", (unsigned long long)valid_base, (unsigned long)valid_size);
    } else {
        failure_raise_at(call.session, "GetValidRegionVirtual", status, base, size, false);
    }
done:
    return method_end(&call, result);
}

KEYWORD_METHOD(raw_get_next_differently_valid_offset_virtual)
{
    static const char *const parameters[] = {"offset", NULL};
    static const call_signature signature = {"get_next_differently_valid_offset_virtual",
                                             parameters, 1, 1, false};
    method_call call;
    PyObject *result = NULL;
    uint64_t offset = 0;
    ULONG64 next = 0;
    HRESULT status;

    if (!raw_begin(&call, self, &signature, arguments, count, names) ||
        !arguments_unsigned(call.values[0], "offset", &offset)) {
        goto done;
    }
    method_leave_python(&call, 0);
    status = raw_spaces(&call)->lpVtbl->GetNextDifferentlyValidOffsetVirtual(raw_spaces(&call),
                                                                             offset, &next);
    next = core_as_asked(&call.session->target, offset, next);
    method_enter_python(&call);
    if (status == S_OK) {
        result = PyLong_FromUnsignedLongLong(next);
    } else if (status == S_FALSE) {
        result = Py_NewRef(Py_None); /* an answer: there is no further page */
    } else {
        failure_raise_at(call.session, "GetNextDifferentlyValidOffsetVirtual", status, offset, 0,
                         false);
    }
done:
    return method_end(&call, result);
}
