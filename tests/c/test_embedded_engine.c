/* Tests of the embedded engine as a COM object: identity, references, every slot. */
#include <stdlib.h>
#include <string.h>

#include "../../csrc/com/data_spaces.h"
#include "../../csrc/com/hresult.h"
#include "../../csrc/com/iids.h"
#include "../../csrc/engines/embedded/client.h"
#include "../../csrc/engines/embedded/control.h"
#include "../../csrc/engines/embedded/not_implemented.h"
#include "../../csrc/engines/embedded/simulated/target_simulated.h"
#include "check.h"

static embedded_target_operations counting;
static const embedded_target_operations *original;
static int destroyed;

static void count_destroy(embedded_target *self)
{
    destroyed++;
    self->operations = original;
    original->destroy(self);
}

/* Returns a client with one reference, over 64 bytes at 0x1000; counts its target's end. */
static IDebugClient5 *new_client(uint32_t pointer_size)
{
    simulated_region region = {0x1000, 64, SIMULATED_READ_WRITE};
    embedded_target *embedded = simulated_create(&region, 1, pointer_size);
    IDebugClient5 *client = NULL;

    if (embedded != NULL) {
        original = embedded->operations;
        counting = *original;
        counting.destroy = count_destroy;
        embedded->operations = &counting;
        destroyed = 0;
        client = embedded_client_create(embedded);
    }
    if (client == NULL) {
        abort();
    }
    return client;
}

static HRESULT query(void *interface_pointer, const GUID *iid, void **result)
{
    IDebugDataSpaces4 *data_spaces = interface_pointer;
    HRESULT status;

    /* The kind of interface determines the type of the call. */
    if (embedded_client_target(interface_pointer) != NULL) {
        IDebugClient5 *client = interface_pointer;

        status = client->lpVtbl->QueryInterface(client, iid, result);
    } else if ((const void *)data_spaces->lpVtbl == &embedded_control_vtbl) {
        IDebugControl *control = interface_pointer;

        status = control->lpVtbl->QueryInterface(control, iid, result);
    } else {
        status = data_spaces->lpVtbl->QueryInterface(data_spaces, iid, result);
    }
    return status;
}

static void test_identity(void)
{
    static const GUID *const iids[] = {
        &iid_unknown,           &iid_debug_client,       &iid_debug_control,
        &iid_debug_data_spaces, &iid_debug_data_spaces2, &iid_debug_data_spaces3,
        &iid_debug_data_spaces4};
    const size_t count = sizeof iids / sizeof iids[0];
    IDebugClient5 *client = new_client(8);
    void *first[7] = {NULL};
    ULONG references = 1;

    for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(query(client, iids[i], &first[i]), S_OK);
        CHECK(first[i] != NULL);
        references++;
    }
    /* A query from any interface to any other returns the same pointers. */
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            void *found = NULL;

            CHECK_EQUAL(query(first[i], iids[j], &found), S_OK);
            CHECK(found == first[j]);
            references++;
        }
    }
    /* The whole object has one reference count. */
    CHECK_EQUAL(client->lpVtbl->AddRef(client), references + 1);
    CHECK_EQUAL(client->lpVtbl->Release(client), references);
    {
        IDebugControl *control = first[2];
        IDebugDataSpaces4 *spaces = first[6];

        CHECK_EQUAL(control->lpVtbl->AddRef(control), references + 1);
        CHECK_EQUAL(spaces->lpVtbl->AddRef(spaces), references + 2);
        CHECK_EQUAL(control->lpVtbl->Release(control), references + 1);
        CHECK_EQUAL(spaces->lpVtbl->Release(spaces), references);
        while (references > 1) {
            references--;
            CHECK_EQUAL(spaces->lpVtbl->Release(spaces), references);
            CHECK_EQUAL(destroyed, 0);
        }
        CHECK_EQUAL(spaces->lpVtbl->Release(spaces), 0);
    }
    CHECK_EQUAL(destroyed, 1);
}

static void test_refusals(void)
{
    static const GUID strange = {0x12345678, 1, 2, {3, 4, 5, 6, 7, 8, 9, 10}};
    IDebugClient5 *client = new_client(8);
    void *found = client;

    CHECK_EQUAL(query(client, &strange, &found), E_NOINTERFACE);
    CHECK(found == NULL);
    CHECK_EQUAL(query(client, &iid_unknown, NULL), E_POINTER);
    CHECK_EQUAL(query(client, &strange, NULL), E_POINTER);
    CHECK_EQUAL(client->lpVtbl->AddRef(client), 2); /* no refused query took a reference */
    CHECK_EQUAL(client->lpVtbl->Release(client), 1);
    CHECK_EQUAL(client->lpVtbl->Release(client), 0);
    CHECK_EQUAL(destroyed, 1);
}

#define CALL(words)                                                                                \
    case words: {                                                                                  \
        stack_##words all = {{(uintptr_t)self}};                                                   \
                                                                                                   \
        return ((HRESULT(STDMETHODCALLTYPE *)(stack_##words))slot)(all);                           \
    }

/* Calls an untyped slot with the number of stack words that its method takes. */
static HRESULT call_untyped(com_untyped_slot slot, int words, void *self)
{
    switch (words) {
        CALL(1)
        CALL(2)
        CALL(3)
        CALL(4)
        CALL(5)
        CALL(6)
        CALL(7)
        CALL(8)
        CALL(9)
        CALL(10)
    default:
        return S_OK;
    }
}

/* The stack words of each method on 32-bit x86, from Microsoft's declarations (a ULONG64 takes two,
 * This takes one); 0 for the methods that the engine implements. */
static const int stack_words[44] = {
    0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* IUnknown, and ReadVirtual to WritePhysical */
    7,                                   /* ReadControl */
    7,                                   /* WriteControl */
    9,  9,                               /* ReadIo, WriteIo */
    3,  4,                               /* ReadMsr, WriteMsr */
    8,  8,                               /* ReadBusData, WriteBusData */
    1,                                   /* CheckLowMemory */
    5,                                   /* ReadDebuggerData */
    6,                                   /* ReadProcessorSystemData */
    4,                                   /* VirtualToPhysical */
    6,                                   /* GetVirtualTranslationPhysicalOffsets */
    7,                                   /* ReadHandleData */
    0,                                   /* FillVirtual */
    7,                                   /* FillPhysical */
    0,                                   /* QueryVirtual */
    4,                                   /* ReadImageNtHeaders */
    6,                                   /* ReadTagged */
    2,  5, 3,                            /* StartEnumTagged, GetNextTagged, EndEnumTagged */
    8,                                   /* GetOffsetInformation */
    0,  0,                               /* GetNextDifferentlyValid..., GetValidRegionVirtual */
    10,                                  /* SearchVirtual2 */
    7,  8, 8, 7,                         /* Read(MultiByte|Unicode)StringVirtual(Wide) */
    7,  7,                               /* ReadPhysical2, WritePhysical2 */
};

static void test_slots(void)
{
    IDebugClient5 *client = new_client(8);
    IDebugDataSpaces4 *spaces = NULL;
    void *found = NULL;
    com_untyped_slot slots[44];

    CHECK_EQUAL(query(client, &iid_debug_data_spaces4, &found), S_OK);
    spaces = found;
    CHECK_EQUAL(sizeof slots, sizeof *spaces->lpVtbl);
    memcpy(slots, spaces->lpVtbl, sizeof slots);
    for (int i = 0; i < 44; i++) {
        CHECK(slots[i] != NULL);
        if (slots[i] != NULL && stack_words[i] > 0) {
            CHECK_EQUAL(call_untyped(slots[i], stack_words[i], spaces), E_NOTIMPL);
        }
    }
    /* The number of words has an effect on 32-bit x86 only, so it is checked directly. */
    CHECK(slots[12] == NOT_IMPLEMENTED(7) && slots[14] == NOT_IMPLEMENTED(9));
    CHECK(slots[16] == NOT_IMPLEMENTED(3) && slots[17] == NOT_IMPLEMENTED(4));
    CHECK(slots[18] == NOT_IMPLEMENTED(8) && slots[20] == NOT_IMPLEMENTED(1));
    CHECK(slots[21] == NOT_IMPLEMENTED(5) && slots[22] == NOT_IMPLEMENTED(6));
    CHECK(slots[23] == NOT_IMPLEMENTED(4) && slots[24] == NOT_IMPLEMENTED(6));
    CHECK(slots[25] == NOT_IMPLEMENTED(7) && slots[27] == NOT_IMPLEMENTED(7));
    CHECK(slots[29] == NOT_IMPLEMENTED(4) && slots[30] == NOT_IMPLEMENTED(6));
    CHECK(slots[31] == NOT_IMPLEMENTED(2) && slots[32] == NOT_IMPLEMENTED(5));
    CHECK(slots[33] == NOT_IMPLEMENTED(3) && slots[34] == NOT_IMPLEMENTED(8));
    CHECK(slots[37] == NOT_IMPLEMENTED(10) && slots[38] == NOT_IMPLEMENTED(7));
    CHECK(slots[39] == NOT_IMPLEMENTED(8) && slots[40] == NOT_IMPLEMENTED(8));
    CHECK(slots[41] == NOT_IMPLEMENTED(7) && slots[42] == NOT_IMPLEMENTED(7));
    (void)spaces->lpVtbl->Release(spaces);
    CHECK_EQUAL(client->lpVtbl->Release(client), 0);
}

static void test_control(void)
{
    IDebugClient5 *client = new_client(8);
    IDebugControl *control = NULL;
    IDebugDataSpaces4 *spaces = NULL;
    void *found = NULL;
    ULONG number = 0, other = 0;
    ULONG64 values[2] = {UINT64_C(0x180000002), 7}, back[2] = {0, 0};

    CHECK_EQUAL(query(client, &iid_debug_control, &found), S_OK);
    control = found;
    CHECK_EQUAL(query(client, &iid_debug_data_spaces, &found), S_OK);
    spaces = found;
    CHECK_EQUAL(control->lpVtbl->IsPointer64Bit(control), S_OK);
    CHECK_EQUAL(control->lpVtbl->GetActualProcessorType(control, &number), S_OK);
    CHECK_EQUAL(number, 0x8664);
    CHECK_EQUAL(control->lpVtbl->GetPageSize(control, &number), S_OK);
    CHECK_EQUAL(number, 4096);
    CHECK_EQUAL(control->lpVtbl->GetDebuggeeType(control, &number, &other), S_OK);
    CHECK(number == 2 && other == 0);
    CHECK_EQUAL(control->lpVtbl->GetDebuggeeType(control, NULL, &other), E_POINTER);
    CHECK_EQUAL(control->lpVtbl->GetDebuggeeType(control, &number, NULL), E_POINTER);
    CHECK_EQUAL(control->lpVtbl->GetExecutionStatus(control, NULL), E_POINTER);
    /* As a 32-bit target: narrow writes, truncated values, zero-extended reads. */
    CHECK_EQUAL(control->lpVtbl->SetEffectiveProcessorType(control, 0x1234), E_INVALIDARG);
    CHECK_EQUAL(control->lpVtbl->SetEffectiveProcessorType(control, 0x14c), S_OK);
    CHECK_EQUAL(control->lpVtbl->IsPointer64Bit(control), S_FALSE);
    CHECK_EQUAL(control->lpVtbl->GetEffectiveProcessorType(control, &number), S_OK);
    CHECK_EQUAL(number, 0x14c);
    CHECK_EQUAL(spaces->lpVtbl->WritePointersVirtual(spaces, 2, 0x1000, values), S_OK);
    CHECK_EQUAL(spaces->lpVtbl->ReadPointersVirtual(spaces, 2, 0x1000, back), S_OK);
    CHECK(back[0] == 0x80000002 && back[1] == 7);
    CHECK_EQUAL(control->lpVtbl->SetEffectiveProcessorType(control, 0x8664), S_OK);
    CHECK_EQUAL(spaces->lpVtbl->ReadPointersVirtual(spaces, 1, 0x1000, back), S_OK);
    CHECK_EQUAL(back[0], UINT64_C(0x780000002));
    CHECK_EQUAL(spaces->lpVtbl->WritePointersVirtual(spaces, 0, 5, NULL), S_OK);
    CHECK_EQUAL(spaces->lpVtbl->ReadPointersVirtual(spaces, 0, 5, NULL), S_OK);
    /* The counts are optional. */
    CHECK_EQUAL(spaces->lpVtbl->WriteVirtual(spaces, 0x103e, values, 8, NULL), S_OK);
    CHECK_EQUAL(spaces->lpVtbl->ReadVirtual(spaces, 0x103e, back, 8, NULL), S_OK);
    number = 77; /* a failure leaves it unchanged */
    CHECK_EQUAL(spaces->lpVtbl->WriteVirtual(spaces, 0x2000, values, 8, &number),
                HR_INVALID_ADDRESS);
    CHECK_EQUAL(number, 77);
    CHECK_EQUAL(spaces->lpVtbl->ReadVirtual(spaces, 0x2000, back, 8, &number), HR_READ_FAULT);
    CHECK_EQUAL(number, 77);
    CHECK_EQUAL(spaces->lpVtbl->ReadPhysical(spaces, 0x1000, back, 8, &number), E_UNEXPECTED);
    CHECK_EQUAL(spaces->lpVtbl->WritePhysical(spaces, 0x1000, values, 8, &number), E_UNEXPECTED);
    CHECK_EQUAL(number, 77);

    CHECK_EQUAL(control->lpVtbl->GetExecutionStatus(control, &number), S_OK);
    CHECK_EQUAL(number, 6);
    CHECK_EQUAL(client->lpVtbl->EndSession(client, 99), E_INVALIDARG);
    CHECK_EQUAL(client->lpVtbl->EndSession(client, 2), S_OK);
    CHECK_EQUAL(control->lpVtbl->GetExecutionStatus(control, &number), S_OK);
    CHECK_EQUAL(number, 7);
    CHECK_EQUAL(control->lpVtbl->IsPointer64Bit(control), E_UNEXPECTED);
    CHECK_EQUAL(control->lpVtbl->SetEffectiveProcessorType(control, 0x14c), E_UNEXPECTED);
    CHECK_EQUAL(spaces->lpVtbl->WritePointersVirtual(spaces, 0, 0x1000, NULL), E_UNEXPECTED);
    CHECK_EQUAL(client->lpVtbl->DetachProcesses(client), S_OK);
    CHECK_EQUAL(client->lpVtbl->TerminateProcesses(client), S_OK);
    (void)spaces->lpVtbl->Release(spaces);
    (void)control->lpVtbl->Release(control);
    CHECK_EQUAL(client->lpVtbl->Release(client), 0);
    CHECK_EQUAL(destroyed, 1);
}

int main(void)
{
    test_identity();
    test_refusals();
    test_slots();
    test_control();
    return check_report();
}
