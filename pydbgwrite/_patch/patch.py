"""Patches: tables of pointers with their addresses, as objects and as files (TOML)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, SupportsIndex

from pydbgwrite._patch.builds import BuildCheck
from pydbgwrite._patch.entry import PatchEntry
from pydbgwrite._patch.scattered import ScatteredEntry
from pydbgwrite._report.text import counted
from pydbgwrite.errors import PatchError

if TYPE_CHECKING:
    from typing import Literal, Self

    from _typeshed import StrPath

    from pydbgwrite._patch.preview import Preview
    from pydbgwrite._patch.scattered import Entry
    from pydbgwrite._patch.toml_lines import Lines
    from pydbgwrite._reports import UndoReport
    from pydbgwrite._target import Target as Session  # help() shows this name
    from pydbgwrite._transactions.transaction import Transaction

__all__ = ["BuildCheck", "Patch", "PatchEntry", "ScatteredEntry"]


class Patch:
    """What to write where, what the target must hold before, and for which builds it is made.

    Example::

        patch = pydbgwrite.Patch.load("table.toml")
        with pydbgwrite.attach(pid) as session:
            for entry in patch.preview(session).entries:
                print(hex(entry.address), list(entry.before), list(entry.after))
            patch.apply(session, journal="table.journal")

    A patch file is TOML::

        format = 1                        # of the file; this version reads 1 and 2
        note = "for 2.4"                  # optional, as all notes

        [[build]]                         # optional; each must hold, or nothing is written
        module = "libfoo.so"
        build_id = "5d2f..."              # or sha256 = "...", of the module's file; or both

        [[write]]
        address = "libfoo.so+0x4010"      # any form that Session.resolve() takes
        pointers = ["0x7f0000001000", 4096, "libc.so.6!puts"]
        expect = [0, 0, 0]                # optional: one value, or one for each
        note = "dispatch table"

        [[write]]
        address = "libfoo.so!handlers"
        file = "handlers.npy"             # in place of pointers: little-endian, 64 bits each, for
                                          # 32-bit targets too; .npy of type '<u8', or raw .bin

    With format = 2 pointers can go to separate addresses, such as those that a search has found::

        [[write]]
        base = "libfoo.so"                # a module, or any form that Session.resolve() takes
        offsets = "found.npy"             # from it: a side file, or a list of numbers; without a
                                          # base: addresses = a side file, or a list with names
        pointers = "libnew.so!table"      # one value for all; or a list of one for each, or file
        expect = "libold.so!table"        # or a list, or expect_file = a side file

    Numbers are TOML integers or text such as "0x7f..". From 2**63 on they must be text.

    Args:
        entries: PatchEntry and ScatteredEntry objects, at least one.
        builds: BuildCheck objects.
        note: Text for people.
    """

    __module__ = "pydbgwrite"
    __slots__ = {
        "_applied": "The transaction of the last apply(), and its session.",
        "_lines": "Of the file that it was loaded from.",
        "builds": "What the target must be: a list, which may be changed.",
        "entries": "What is written, in this order: a list, which may be changed.",
        "note": "For people.",
    }

    entries: list[Entry]
    builds: list[BuildCheck]
    note: str

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        builds: Iterable[BuildCheck] = (),
        note: str = "",
    ) -> None:
        self.entries = list(entries)
        self.builds = list(builds)
        self.note = note
        self._lines: Lines | None = None
        self._applied: tuple[Transaction, Session] | None = None
        self._check()

    @classmethod
    def load(cls, path: StrPath, *, side_files_anywhere: bool = False) -> Self:
        """Load a patch from a file, and the side files that it names.

        Args:
            path: The patch file.
            side_files_anywhere: False refuses a side file outside the patch file's folder, even by
                way of symbolic links: a patch file may come from a stranger.

        Returns:
            The patch.

        Raises:
            PatchError: The file is not valid. `problems` lists every fault with its line and entry.
            OSError: The patch file can't be read.
        """
        from pydbgwrite._patch.load import read_patch

        parts = read_patch(os.fsdecode(path), anywhere=bool(side_files_anywhere))
        made = cls.__new__(cls)
        made.entries, made.builds, made.note = parts.entries, parts.builds, parts.note
        made._lines = parts.lines
        made._applied = None
        return made

    def save(self, path: StrPath, *, inline: SupportsIndex = 1024) -> None:
        """Write the patch to a file, replacing what is there. load() returns the same patch.

        The file has format = 2 if there is a ScatteredEntry, and format = 1 if there is none.

        Args:
            path: The patch file. Each file is replaced as a whole.
            inline: An entry with more pointers than this, numbers alone, goes to a side file in the
                same folder, "<name>.<entry>.npy", unless the entry names a file. So do the
                addresses of a ScatteredEntry ("<name>.<entry>.addresses.npy", or ".offsets.npy"),
                and its expected values ("<name>.<entry>.expect.npy").

        Raises:
            PatchError: The patch can't be written as TOML.
            OSError: A file can't be written.
        """
        import operator

        from pydbgwrite._patch.save import save_patch

        self._check()
        most = operator.index(inline)
        save_patch(os.fsdecode(path), self.entries, self.builds, self.note, most)

    def preview(self, session: Session) -> Preview:
        """Make a dry run: resolve all addresses and check everything that apply() needs.

        The checks cover builds, widths, overlaps, expectations, and whether all memory is mapped,
        readable and writable. Nothing is written, so a session with writable=False is enough. Only
        the write itself can prove that a write succeeds: the check relies on the target's memory
        map.

        Engine calls: QueryVirtual and ReadVirtual.

        Returns:
            The Preview. Its `problems` list the faults.

        Raises:
            NoTargetError: The target has ended.
        """
        from weakref import ref

        from pydbgwrite._symbols.describe import describe

        made = self._preview(session)
        made._note, made._builds = self.note, list(self.builds)
        made._target = describe(session)
        made._session = ref(session)  # a preview keeps no session open
        return made

    def apply(
        self,
        session: Session,
        *,
        expect: Preview | None = None,
        journal: StrPath | None = None,
        durable: bool | None = None,
        via: Literal["WritePointersVirtual", "WriteVirtual", "auto"] = "auto",
        verify: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> int:
        """Preview the patch, and write all of it in one transaction if there is no problem.

        Args:
            session: The target.
            expect: A preview() of this patch, which somebody has read: it is written if the target
                still holds what the preview shows, and what would be written is still the same.
                The target may have run meanwhile, and the preview be of another session.
            journal, durable: As for Session.transaction.
            via: As for Session.write_pointers. "auto" writes consecutive small entries together by
                write_scattered; other values write each entry by itself. A ScatteredEntry is
                written by write_scattered always.
            verify: Read the data back and compare it.
            progress: Called as progress(done, total), in pointers. If it raises, all is rolled
                back.

        Returns:
            The number of pointers written. It is always all of them; anything less raises.

        Raises:
            PatchError: The preview found problems; the exception lists them. Nothing is written.
            ExpectationError: The only problem is that the target does not hold what is expected, by
                the patch or by `expect`. Nothing is written.
            ReadOnlyError: The session has writable=False.
            DebugEngineError, VerificationError: A write failed, and all was rolled back. A note
                says so, or says exactly what remains.
        """
        from pydbgwrite._patch.apply import apply_patch, as_shown
        from pydbgwrite._transactions.transaction import Transaction, checked_journal

        preview = self._preview(session)
        if expect is not None:
            as_shown(preview, expect)
        transaction, written = apply_patch(
            preview,
            session,
            Transaction(session, *checked_journal(journal, durable)),
            via=via,
            verify=verify,
            progress=progress,
        )
        self._applied = (transaction, session)
        return written

    def _preview(self, session: Session, *, writing: bool = True) -> Preview:
        from pydbgwrite._patch.dry_run import make_preview

        self._check()
        return make_preview(self.entries, self.builds, session, self._place, writing=writing)

    def verify(self, session: Session) -> None:
        """Check that the target holds everything that the patch writes.

        Raises:
            VerificationError: The target holds something else; the exception lists where.
            PatchError: An address can't be resolved or read, or the build is another.
        """
        from pydbgwrite._patch.apply import verify_patch

        verify_patch(self._preview(session, writing=False), session)

    def undo(self, session: Session) -> UndoReport:
        """Undo the last apply() of this object, in the session it was applied to.

        A location that holds neither the old nor the written pointers is a conflict: it is
        reported, not changed. Undo is idempotent. After a restart, or in another session,
        pydbgwrite.undo() undoes the patch from its journal.

        Returns:
            The UndoReport.

        Raises:
            PatchError: This object has applied nothing to this session.
        """
        if self._applied is None or self._applied[1] is not session:
            message = (
                "this Patch has applied nothing in this session: there is nothing to undo here. "
                "pydbgwrite.undo(journal, session) undoes another one's writes"
            )
            raise PatchError(message, [message])
        return self._applied[0].undo()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Patch):
            return NotImplemented
        return (self.entries, self.builds, self.note) == (other.entries, other.builds, other.note)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        entries = "1 entry" if len(self.entries) == 1 else f"{len(self.entries):,} entries"
        return f"<pydbgwrite.Patch of {entries}, {counted(sum(map(len, self.entries)), 'pointer')}>"

    def _check(self) -> None:
        """Check the types in the lists again, since users can change them."""
        for what, kinds, items in (
            ("entries", (PatchEntry, ScatteredEntry), self.entries),
            ("builds", (BuildCheck,), self.builds),
        ):
            for index, item in enumerate(items):
                if not isinstance(item, kinds):
                    names = " or a ".join(kind.__name__ for kind in kinds)
                    raise TypeError(f"{what}[{index}] must be a {names}, got {type(item).__name__}")
        if not self.entries:
            raise ValueError("a patch needs at least one entry, and this has none")
        if not isinstance(self.note, str):
            raise TypeError(f"note must be a str, got {type(self.note).__name__}")

    def _place(self, kind: str, index: int) -> str:
        """Return a place in the file for a message, such as "line 12, entry 3"."""
        noun = "entry" if kind == "write" else "build"
        line = self._lines.of(kind, index) if self._lines is not None else None
        return f"{noun} {index + 1}" if line is None else f"line {line}, {noun} {index + 1}"
