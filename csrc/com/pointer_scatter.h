/* IPointerScatter, this project's own interface: moves many ranges of target memory, and compares.
 *
 * Microsoft's engine has no such interface. The embedded engine's data spaces answer QueryInterface
 * for it. A caller that gets E_NOINTERFACE moves range by range through IDebugDataSpaces4.
 */
#ifndef PYDBGWRITE_COM_POINTER_SCATTER_H
#define PYDBGWRITE_COM_POINTER_SCATTER_H

#include <stdbool.h>

#include "types.h"

typedef struct pointer_range {
    ULONG64 Offset; /* in the target; Offset + Size - 1 does not wrap */
    void *Data;     /* WriteRanges only reads from it */
    ULONG64 Size;   /* bytes, above 0 */
} pointer_range;

typedef struct IPointerScatter IPointerScatter;

typedef struct IPointerScatterVtbl {
    COM_UNKNOWN(IPointerScatter);

    /* Reports whether the target is stopped as long as the session holds it, so that its own code
     * changes none of its memory. S_OK: it is stopped. S_FALSE: it runs. */
    HRESULT(STDMETHODCALLTYPE *IsStopped)(IPointerScatter *This);

    /* Access to memory can change only at addresses that are multiples of *Bytes. */
    HRESULT(STDMETHODCALLTYPE *GetGranule)(IPointerScatter *This, ULONG *Bytes);

    /* Move the ranges in their order, each in ascending order, up to the first byte that can't be
     * moved. S_OK: all were moved. Otherwise *Done whole ranges were moved, and perhaps the
     * beginning of the next one; the HRESULT gives the reason. */
    HRESULT(STDMETHODCALLTYPE *WriteRanges)
    (IPointerScatter *This, ULONG Count, const pointer_range *Ranges, ULONG *Done);
    HRESULT(STDMETHODCALLTYPE *ReadRanges)
    (IPointerScatter *This, ULONG Count, const pointer_range *Ranges, ULONG *Done);

    /* Reports whether memory from Offset on may be read, patched and written back, since nothing
     * else can change it meanwhile and neither step does harm. S_OK: yes, S_FALSE: no; either holds
     * up to *End (0: up to 2^64). Any other answer: it can't be found out. */
    HRESULT(STDMETHODCALLTYPE *GetSpanRegion)
    (IPointerScatter *This, ULONG64 Offset, ULONG64 *End);

    /* Write the lower halves of 64-bit pointers, neighbours at any address of the caller's memory,
     * to Offset and on, which does not wrap, on as many processors as are idle. With Check, stop at
     * the first pointer that is neither zero- nor sign-extended from 32 bits. Each value is loaded
     * once, so that the written value is the checked one. *Done is the number of leading pointers
     * written. If it is below Count, no reason is given: the caller writes the rest, or finds the
     * reason. (The caller has checked before that all pointers fit. Behind one that does not fit,
     * others may be written.) Always S_OK. */
    HRESULT(STDMETHODCALLTYPE *WriteNarrowPointers)
    (IPointerScatter *This, ULONG64 Offset, const void *Ptrs, ULONG64 Count, bool Check,
     ULONG64 *Done);

    /* Count the bytes from Offset on, which does not wrap with Size, that equal those at Data, by
     * reading and comparing in one pass on as many processors as are idle. If *Equal is below Size,
     * nothing is known of the bytes behind: they may be equal, different, unreadable, or unchecked.
     * Always S_OK; a target that has ended gives 0. */
    HRESULT(STDMETHODCALLTYPE *CountEqualBytes)
    (IPointerScatter *This, ULONG64 Offset, const void *Data, ULONG64 Size, ULONG64 *Equal);
} IPointerScatterVtbl;

struct IPointerScatter {
    const IPointerScatterVtbl *lpVtbl;
};

#endif
