/* IPointerScatter: target memory in many ranges, or compared. This project's own interface.
 *
 * Microsoft's engine has nothing like it. The embedded engine's data spaces answer QueryInterface
 * for it; a caller that gets E_NOINTERFACE moves range by range through IDebugDataSpaces4.
 */
#ifndef PYDBGWRITE_COM_POINTER_SCATTER_H
#define PYDBGWRITE_COM_POINTER_SCATTER_H

#include <stdbool.h>

#include "types.h"

typedef struct pointer_range {
    ULONG64 Offset; /* in the target; Offset + Size - 1 does not wrap */
    void *Data;     /* only read from by WriteRanges */
    ULONG64 Size;   /* bytes, above 0 */
} pointer_range;

typedef struct IPointerScatter IPointerScatter;

typedef struct IPointerScatterVtbl {
    COM_UNKNOWN(IPointerScatter);

    /* Does the target stand still as long as the session holds it, so that nothing of its own
     * changes its memory? S_OK: yes. S_FALSE: it runs. */
    HRESULT(STDMETHODCALLTYPE *IsStopped)(IPointerScatter *This);

    /* Access to memory can change only at addresses that are multiples of *Bytes. */
    HRESULT(STDMETHODCALLTYPE *GetGranule)(IPointerScatter *This, ULONG *Bytes);

    /* Move the ranges in their order, each in ascending order, up to the first byte that can't be
     * moved. S_OK: all were. Otherwise *Done whole ranges were, and perhaps the beginning of the
     * next one, and the HRESULT says why no more. */
    HRESULT(STDMETHODCALLTYPE *WriteRanges)
    (IPointerScatter *This, ULONG Count, const pointer_range *Ranges, ULONG *Done);
    HRESULT(STDMETHODCALLTYPE *ReadRanges)
    (IPointerScatter *This, ULONG Count, const pointer_range *Ranges, ULONG *Done);

    /* May memory from Offset on be read, patched and written back, since nobody else can change it
     * meanwhile and neither does harm? S_OK: yes, S_FALSE: no; either holds up to *End (0: up to
     * 2^64). Any other answer: it can't be found out. */
    HRESULT(STDMETHODCALLTYPE *GetSpanRegion)
    (IPointerScatter *This, ULONG64 Offset, ULONG64 *End);

    /* Write the lower halves of 64-bit pointers, neighbours at any address of the caller's memory,
     * to Offset and on, which does not wrap, by as many processors as are idle; with Check, up to
     * one that is neither zero- nor sign-extended from 32 bits. Each value is looked at once, so
     * that what is written is what was checked. *Done leading pointers were written; fewer than
     * Count says nothing of why: the caller writes the rest, or finds out. (Behind a pointer that
     * does not fit, of which the caller had made sure before, others may be written.) Always S_OK.
     */
    HRESULT(STDMETHODCALLTYPE *WriteNarrowPointers)
    (IPointerScatter *This, ULONG64 Offset, const void *Ptrs, ULONG64 Count, bool Check,
     ULONG64 *Done);

    /* How many bytes from Offset on, which does not wrap with Size, are found to equal those at
     * Data, by reading and comparing in one go on as many processors as are idle. *Equal below
     * Size says nothing of the bytes behind: they may be equal, differ, be unreadable, or not have
     * been looked at. Always S_OK; a target that has gone gives 0. */
    HRESULT(STDMETHODCALLTYPE *CountEqualBytes)
    (IPointerScatter *This, ULONG64 Offset, const void *Data, ULONG64 Size, ULONG64 *Equal);
} IPointerScatterVtbl;

struct IPointerScatter {
    const IPointerScatterVtbl *lpVtbl;
};

#endif
