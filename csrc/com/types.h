/* The integer types of Microsoft's debugger engine, the same width on every platform.
 *
 * On Windows they come from windows.h. Elsewhere they are declared here: ULONG and HRESULT are
 * 32 bits wide in the engine's ABI, whatever the platform's `unsigned long` is (64 bits on Linux).
 */
#ifndef PYDBGWRITE_COM_TYPES_H
#define PYDBGWRITE_COM_TYPES_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

#else

typedef uint8_t UCHAR;
typedef uint16_t USHORT;
typedef uint32_t ULONG;
typedef uint64_t ULONG64;
typedef int32_t HRESULT;

typedef struct GUID {
    ULONG Data1;
    USHORT Data2;
    USHORT Data3;
    UCHAR Data4[8];
} GUID;

/* winnt.h, documented at
 * learn.microsoft.com/windows/win32/api/winnt/ns-winnt-memory_basic_information */
typedef struct MEMORY_BASIC_INFORMATION64 {
    ULONG64 BaseAddress;
    ULONG64 AllocationBase;
    ULONG AllocationProtect;
    ULONG alignment1;
    ULONG64 RegionSize;
    ULONG State;
    ULONG Protect;
    ULONG Type;
    ULONG alignment2;
} MEMORY_BASIC_INFORMATION64;

#define PAGE_NOACCESS          0x01u
#define PAGE_READONLY          0x02u
#define PAGE_READWRITE         0x04u
#define PAGE_WRITECOPY         0x08u
#define PAGE_EXECUTE           0x10u
#define PAGE_EXECUTE_READ      0x20u
#define PAGE_EXECUTE_READWRITE 0x40u
#define PAGE_EXECUTE_WRITECOPY 0x80u

#define MEM_COMMIT  0x1000u
#define MEM_RESERVE 0x2000u
#define MEM_FREE    0x10000u
#define MEM_PRIVATE 0x20000u
#define MEM_MAPPED  0x40000u
#define MEM_IMAGE   0x1000000u

#define IMAGE_FILE_MACHINE_I386  0x014cu
#define IMAGE_FILE_MACHINE_AMD64 0x8664u

/* The platform's own C calling convention. */
#define STDMETHODCALLTYPE

#endif

_Static_assert(sizeof(ULONG) == 4, "ULONG is 32 bits in the engine's ABI");
_Static_assert(sizeof(HRESULT) == 4, "HRESULT is 32 bits in the engine's ABI");
_Static_assert(sizeof(ULONG64) == 8, "ULONG64 is 64 bits in the engine's ABI");
_Static_assert(sizeof(GUID) == 16, "a GUID is 16 bytes");
_Static_assert(sizeof(MEMORY_BASIC_INFORMATION64) == 48, "MEMORY_BASIC_INFORMATION64 is 48 bytes");
_Static_assert(offsetof(MEMORY_BASIC_INFORMATION64, State) == 32, "State stands at byte 32");

#if defined(_WIN32)
_Static_assert(_Generic((HRESULT(STDMETHODCALLTYPE *)(void *))0, HRESULT(__stdcall *)(void *) : 1,
                        default : 0),
               "methods have the engine's calling convention, which differs from C's on x86");
#endif

/* The slots of IUnknown: each table begins with them. */
#define COM_UNKNOWN(interface)                                                                     \
    HRESULT(STDMETHODCALLTYPE *QueryInterface)                                                     \
    (interface * This, const GUID *InterfaceId, void **Interface);                                 \
    ULONG(STDMETHODCALLTYPE *AddRef)(interface * This);                                            \
    ULONG(STDMETHODCALLTYPE *Release)(interface * This)

/* Fails to compile if a method is not in its slot. */
#define COM_SLOT(interface, method, slot)                                                          \
    _Static_assert(offsetof(interface##Vtbl, method) == (slot) * sizeof(void *),                   \
                   #method " is slot " #slot)

/* A vtable slot that this project never calls: it keeps its place and stays untyped, so that a
 * call through it does not compile. */
typedef void (*com_untyped_slot)(void);

#endif
