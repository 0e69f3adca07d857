/* IPointerScatter, this project's own interface: moves many ranges of target memory, compares,
 * shares work among processors, and passes memory to a search.
 *
 * Microsoft's engine has no such interface. The embedded engine's data spaces answer QueryInterface
 * for it. A caller that gets E_NOINTERFACE moves range by range through IDebugDataSpaces4.
 */
#ifndef PYDBGWRITE_COM_POINTER_SCATTER_H
#define PYDBGWRITE_COM_POINTER_SCATTER_H

#include <stdbool.h>
#include <stddef.h>

#include "types.h"

typedef struct pointer_range {
    ULONG64 Offset; /* in the target; Offset + Size - 1 does not wrap */
    void *Data;     /* WriteRanges only reads from it */
    ULONG64 Size;   /* bytes, above 0 */
} pointer_range;

/* Moves ranges of the pages that a part of shared work is about. */
typedef struct pointer_mover pointer_mover;
struct pointer_mover {
    /* True: all were moved. */
    bool (*move)(const pointer_mover *self, bool writing, ULONG count, const pointer_range *ranges);
};

/* Work on addresses that several threads share. */
typedef struct shared_work {
    const unsigned char *addresses; /* a ULONG64 every `stride` bytes; those of a page together */
    size_t stride;
    ULONG64 count;
    ULONG part_pages; /* of each part but the last; 0: the engine chooses */
    bool writing;
    size_t room_size; /* bytes of separate memory for each thread */
    void *context;
    /* Does addresses first..past-1, which are all those of some pages. Called in several threads at
     * once, with the thread's own room. False: not all was done. */
    bool (*do_part)(void *context, const pointer_mover *mover, void *room, ULONG64 first,
                    ULONG64 past);
} shared_work;

/* A search reads blocks of this many bytes: they fit a processor's second-level cache. A few bytes
 * of the next block can follow, for words that lie in both. */
#define POINTER_BLOCK_BYTES 262144u
#define POINTER_BLOCK_MORE  64u

/* The most functions that a thread is given to call beside the caller's own work. */
#define POINTER_ASIDE_MOST 2u

typedef enum pointer_part_kind {
    POINTER_PART_BLOCKS,    /* ReadBlocks may read it */
    POINTER_PART_PLAIN,     /* only ReadVirtual may read it, since it may wait */
    POINTER_PART_UNREADABLE /* nothing is mapped there, or it can't be read */
} pointer_part_kind;

typedef struct pointer_part {
    ULONG64 Offset;
    ULONG64 End;
    pointer_part_kind Kind;
} pointer_part;

typedef struct pointer_block {
    ULONG64 Offset; /* in the target; Offset + Size - 1 does not wrap */
    ULONG Size;     /* up to POINTER_BLOCK_BYTES + POINTER_BLOCK_MORE */
    bool Plain;     /* ReadBlocks leaves this one out */
} pointer_block;

/* Receives the leading bytes of a block that could be read, perhaps none. */
typedef void (*pointer_block_taker)(void *Context, ULONG Block, const void *Data, size_t Size);

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

    /* Have threads on as many processors as are idle do the work on leading addresses, each thread
     * on other pages: only pages for which GetSpanRegion returns S_OK and that can be accessed
     * without a wait. *Done is the number of those addresses; 0: too few to share. The caller does
     * the rest. S_OK: their work was done. S_FALSE: a part was not done completely, and nothing is
     * known of the others. */
    HRESULT(STDMETHODCALLTYPE *ShareByPages)
    (IPointerScatter *This, const shared_work *Work, ULONG64 *Done);

    /* Have a thread on an idle processor call Function, which makes no call of this interface,
     * while the caller goes on. Up to POINTER_ASIDE_MOST at a time; the thread calls them in turn.
     * S_OK: it was begun, and EndAside must follow. S_FALSE: no processor is idle, and none is
     * under way; the caller does the same itself. */
    HRESULT(STDMETHODCALLTYPE *BeginAside)
    (IPointerScatter *This, void (*Function)(void *Context), void *Context);

    /* Wait for the end of the first that was not waited for. In a child of a fork, which has no
     * such thread, return at once. Always S_OK. */
    HRESULT(STDMETHODCALLTYPE *EndAside)(IPointerScatter *This);

    /* Find the first part of Offset..End, which is not empty, that a search must know of. Without
     * Zeros, memory that was never written, and so holds zeros, is left out. S_OK: *Part, which
     * lies within Offset..End. S_FALSE: there is none. */
    HRESULT(STDMETHODCALLTYPE *FindPart)
    (IPointerScatter *This, ULONG64 Offset, ULONG64 End, bool Zeros, pointer_part *Part);

    /* Read blocks of parts of the first kind, on as many processors as are idle, and call Take once
     * for each: in any order, from several threads, before this returns. S_OK: all were read, or
     * their readable beginning. Otherwise the target has ended (E_UNEXPECTED) or memory is short.
     */
    HRESULT(STDMETHODCALLTYPE *ReadBlocks)
    (IPointerScatter *This, ULONG Count, const pointer_block *Blocks, pointer_block_taker Take,
     void *Context);
} IPointerScatterVtbl;

struct IPointerScatter {
    const IPointerScatterVtbl *lpVtbl;
};

#endif
