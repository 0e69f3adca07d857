/* The docstrings of the session's methods on memory; session.c puts them into the type. */
#ifndef PYDBGWRITE_PYTHON_SESSION_DOCS_H
#define PYDBGWRITE_PYTHON_SESSION_DOCS_H

#define WRITE_POINTERS_DOC                                                                         \
    "write_pointers($self, /, address, pointers, *, via='WritePointersVirtual', verify=False, "    \
    "expect=None, truncate=False, progress=None)\n--\n\n"                                          \
    "Write pointers to the target, one after the other from address on.\n\n"                       \
    "The call behind it is IDebugDataSpaces4::WritePointersVirtual (MicrosoftDocs,\n"              \
    "nf-dbgeng-idebugdataspaces4-writepointersvirtual), on the memory of `pointers` itself\n"      \
    "where that is contiguous and the target has 64-bit pointers. Long arrays are split, so\n"     \
    "that Ctrl-C works and progress is called. No write of more than one pointer is atomic\n"      \
    "for a running target.\n\n"                                                                    \
    "address: virtual address in the target, 0 to 2**64 - 1, aligned or not.\n"                    \
    "pointers: one-dimensional buffer of 8-byte integers or pointers in native byte order\n"       \
    "    (array('Q'), numpy uint64 or int64, ctypes arrays, memoryview; contiguous or\n"           \
    "    strided), raw bytes of a length that is a multiple of 8, or an iterable of ints.\n"       \
    "via: the engine's method. 'WriteVirtual' writes the same bytes at once, with the same\n"      \
    "    result; Microsoft's engine, which loops pointer by pointer inside\n"                      \
    "    WritePointersVirtual, is then up to a thousand times faster. 'auto' takes it for\n"       \
    "    BULK_THRESHOLD_POINTERS and more on such an engine, and for a 32-bit target; else the\n"  \
    "    embedded engine is as fast either way.\n"                                                 \
    "verify: read all of it back by ReadVirtual, and raise VerificationError where the target\n"   \
    "    holds something else, though the engine said S_OK.\n"                                     \
    "expect: one int, or as many pointers (of any type that `pointers` takes): written only\n"     \
    "    where the target holds these now. All of the range is compared, by ReadVirtual,\n"        \
    "    before the first byte goes out. For a stopped target that is exact; a running one may\n"  \
    "    write there itself in between, and what it wrote is then overwritten.\n"                  \
    "truncate: for a 32-bit target, write (and compare) the low 32 bits of values that do not "    \
    "fit,\n"                                                                                       \
    "    instead of raising PointerRangeError.\n"                                                  \
    "progress: called as progress(done, total), in pointers, between chunks and at the end,\n"     \
    "    for what is written alone: comparing lets Ctrl-C in, and does not count;\n"               \
    "    if it raises, the write stops and the exception, with `written`, goes on.\n\n"            \
    "Returns the number of pointers written: always all of them; anything less raises.\n\n"        \
    "Raises TypeError, ValueError, OverflowError, PointerRangeError or ExpectationError before\n"  \
    "anything is written; TargetAccessError, NoTargetError, WriteNotAppliedError or another\n"     \
    "DebugEngineError, with `written`, when the engine says anything but S_OK;\n"                  \
    "VerificationError. ExpectationError and VerificationError carry the first 100 `mismatches`\n" \
    "and their `total`. Memory that `expect` asks for and that can't be read is a\n"               \
    "TargetAccessError, and nothing was written."

#define READ_POINTERS_DOC                                                                          \
    "read_pointers($self, /, address, count=None, *, into=None, via='auto', "                      \
    "progress=None)\n--\n\n"                                                                       \
    "Read pointers from the target, one after the other from address on.\n\n"                      \
    "The call behind it is IDebugDataSpaces4::ReadPointersVirtual (MicrosoftDocs,\n"               \
    "nf-dbgeng-idebugdataspaces4-readpointersvirtual) or ReadVirtual. Pointers of a 32-bit\n"      \
    "target come zero-extended, on every engine.\n\n"                                              \
    "count: how many. With `into` it may be left out: as many as fit.\n"                           \
    "into: a writable, contiguous buffer of the types that write_pointers takes.\n"                \
    "via: 'ReadPointersVirtual', 'ReadVirtual', or 'auto', which takes ReadVirtual for\n"          \
    "    BULK_THRESHOLD_POINTERS and more on an engine that loops pointer by pointer.\n"           \
    "progress: as for write_pointers.\n\n"                                                         \
    "Returns an array('Q') of count elements; with `into` the number read.\n\n"                    \
    "Raises TargetAccessError or NoTargetError when not all could be read; its message\n"          \
    "names the first address that could not. `into` then holds the pointers before that one,\n"    \
    "and is untouched behind (a large read of a stopped Linux process that meets a page of\n"      \
    "MADV_GUARD_INSTALL apart, which no memory map shows)."

#define WRITE_SCATTERED_DOC                                                                        \
    "write_scattered($self, /, addresses, pointers, *, verify=False, expect=None, "                \
    "truncate=False, spans=True, progress=None)\n--\n\n"                                           \
    "Write each pointer to an address of its own: pointers[i] to addresses[i].\n\n"                \
    "Neighbours are written together, and where values go to one address, or to addresses\n"       \
    "that overlap, the last one counts. A running target gets them in the order given. In a\n"     \
    "stopped one they are sorted by page, up to 2**21 at a time (32 bytes of memory each),\n"      \
    "and pages that hold several are read, patched and written back.\n\n"                          \
    "addresses: virtual addresses; a buffer or an iterable of ints, as for write_pointers.\n"      \
    "pointers: as for write_pointers, and as many.\n"                                              \
    "verify, expect: as for write_pointers; expect[i] is what addresses[i] holds, each by\n"       \
    "    itself. verify: where addresses come more than once, the last element counts, and the\n"  \
    "    address is one mismatch.\n"                                                               \
    "truncate: as for write_pointers.\n"                                                           \
    "spans: False never writes back bytes that are not asked for. They are written back\n"         \
    "    only in a stopped target, in private memory that it may read and write and that no\n"     \
    "    other process shares, never in huge pages or a device. The kernel itself may still\n"     \
    "    write there meanwhile, for input that was under way when the target was stopped\n"        \
    "    (io_uring, O_DIRECT): pass False for a target that uses these.\n"                         \
    "progress: as for write_pointers; `done` counts elements in any order.\n\n"                    \
    "Returns the number of pointers written: always all of them; anything less raises.\n\n"        \
    "The calls behind it are WriteVirtual and ReadVirtual, WritePointersVirtual for single\n"      \
    "pointers, and on Linux process_vm_writev(2) with up to 1,024 ranges a call.\n\n"              \
    "Raises TypeError, ValueError, OverflowError or PointerRangeError before anything is\n"        \
    "written; TargetAccessError, NoTargetError, WriteNotAppliedError or another\n"                 \
    "DebugEngineError whose `index` is the first element, in the order given, that is not in\n"    \
    "place, and whose `written` is as much: the target was read back. Elements behind it may\n"    \
    "be written too. After Ctrl-C, or when progress raises, `written` of that exception is\n"      \
    "the number of leading elements that were done."

#define READ_SCATTERED_DOC                                                                         \
    "read_scattered($self, /, addresses, *, into=None, progress=None)\n--\n\n"                     \
    "Read the pointers at many addresses.\n\n"                                                     \
    "addresses: virtual addresses; a buffer or an iterable of ints, as for write_pointers.\n"      \
    "into: a writable, contiguous buffer of the types that write_pointers takes, with room\n"      \
    "    for as many pointers.\n"                                                                  \
    "progress: as for write_scattered.\n\n"                                                        \
    "Returns an array('Q') in the order of the addresses; with `into` the number read.\n"          \
    "Pointers of a 32-bit target come zero-extended.\n\n"                                          \
    "The call behind it is IDebugDataSpaces4::ReadVirtual; on Linux process_vm_readv(2)\n"         \
    "with up to 1,024 ranges a call.\n\n"                                                          \
    "Raises TargetAccessError or NoTargetError when not all could be read; `index` is the\n"       \
    "first element that could not. `into` may then hold a part."

#define WRITE_DOC                                                                                  \
    "write($self, /, address, data, *, verify=False, expect=None, progress=None)\n--\n\n"          \
    "Write bytes to the target, by IDebugDataSpaces4::WriteVirtual.\n\n"                           \
    "data: any contiguous bytes-like object. progress: called with bytes.\n"                       \
    "verify: as for write_pointers. expect: bytes-like, of the same length; else as there.\n\n"    \
    "Returns the number of bytes written: always all; anything less raises a\n"                    \
    "DebugEngineError whose `written` says how many leading bytes the target holds."

#define READ_DOC                                                                                   \
    "read($self, /, address, size, *, progress=None)\n--\n\n"                                      \
    "Read size bytes from the target, by IDebugDataSpaces4::ReadVirtual.\n\n"                      \
    "Returns bytes of that size. Raises TargetAccessError or NoTargetError when not all\n"         \
    "of them could be read."

#endif
