"""Build checks: is the target's module the build that the patch is made for?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydbgwrite._patch.entry import described
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.build_ids import build_ids_of, open_file
from pydbgwrite._symbols.resolver import Resolver
from pydbgwrite.errors import Error, NoTargetError

if TYPE_CHECKING:
    from typing import Self

    from pydbgwrite._target import Target as Session  # help() shows this name

__all__ = ["BuildCheck", "Builds", "build_faults", "plain_hex"]

_PIECE: Final = 1 << 20


class BuildCheck:
    """The build of a module that a patch is made for: its build id, its file's hash, or both.

    Args:
        module: The module's name or path, as in an address.
        build_id: On Linux the GNU build id ("readelf -n" prints it), as the target has it in
            memory. On Windows the id that symbol servers use: of the program database (its GUID and
            age, 33 or more hexadecimal digits) or of the file (TimeDateStamp and SizeOfImage).
            Hyphens, braces and case do not matter.
        sha256: The hash of the module's file, which must be the target's and readable here.
    """

    __module__ = "pydbgwrite"
    __slots__ = {
        "build_id": "In lower case, without hyphens and braces; None: it does not matter.",
        "module": "Its name or path, as in an address.",
        "sha256": "Of the module's file, in lower case; None: it does not matter.",
    }

    module: str
    build_id: str | None
    sha256: str | None

    def __init__(
        self, module: str, *, build_id: str | None = None, sha256: str | None = None
    ) -> None:
        faults = build_faults(module, build_id, sha256)
        if faults:
            raise faults[0]
        self.module = module
        self.build_id = None if build_id is None else plain_hex(build_id)
        self.sha256 = None if sha256 is None else plain_hex(sha256)

    @classmethod
    def of(cls, session: Session, module: str) -> Self:
        """Make the check that this target's module passes: its build id, or its file's hash.

        Raises AddressError if there is no such module, or if it has neither.
        """
        builds = Builds(session)
        found = builds.build_ids(module)
        if found:
            return cls(module, build_id=found[0])
        return cls(module, sha256=builds.sha256(module))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BuildCheck):
            return NotImplemented
        return (self.module, self.build_id, self.sha256) == (
            other.module,
            other.build_id,
            other.sha256,
        )

    def __hash__(self) -> int:
        return hash((self.module, self.build_id, self.sha256))

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in ("build_id", "sha256")]
        return f"BuildCheck({self.module!r}, {', '.join(shown)})"


def plain_hex(text: str) -> str:
    """Return hexadecimal digits without hyphens and outer braces, in lower case."""
    return text.strip("{}").replace("-", "").lower()


def build_faults(module: object, build_id: object, sha256: object) -> list[Exception]:
    """Return the faults of a BuildCheck's fields."""
    faults: list[Exception] = []
    if not isinstance(module, str):
        faults.append(TypeError(f"module must be text, got {described(module)}"))
    elif not module or "\0" in module:
        faults.append(ValueError("module is empty, or has a null character"))
    if build_id is None and sha256 is None:
        faults.append(ValueError("build_id or sha256 must be given"))
    for name, value in (("build_id", build_id), ("sha256", sha256)):
        if value is None:
            continue
        if not isinstance(value, str):
            faults.append(TypeError(f"{name} must be text, got {described(value)}"))
        elif not plain_hex(value) or plain_hex(value).strip("0123456789abcdef"):
            faults.append(ValueError(f"{name} must be hexadecimal digits, got {value[:80]!r}"))
        elif name == "sha256" and len(plain_hex(value)) != 64:
            faults.append(
                ValueError(f"sha256 must have 64 hexadecimal digits, got {len(plain_hex(value))}")
            )
    return faults


class Builds:
    """Check the builds of one session's modules. A resolver supplies its cached modules."""

    def __init__(self, session: Session, resolver: Resolver | None = None) -> None:
        self._session = session
        self._resolver = resolver if resolver is not None else Resolver(session)

    def problem(self, check: BuildCheck) -> str | None:
        """Return why the target fails the check, or None."""
        try:
            if check.build_id is not None:
                found = self.build_ids(check.module)
                if check.build_id not in found:
                    has = " or ".join(found) if found else "no build id"
                    return f"{check.module} has {has}, and the patch is for {check.build_id}"
            if check.sha256 is not None:
                hashed = self.sha256(check.module)
                if hashed != check.sha256:
                    return (
                        f"the file of {check.module} has the SHA-256 {hashed}, and the patch is "
                        f"for {check.sha256}"
                    )
        except NoTargetError:
            raise
        except not_from_handler(Error, ValueError) as error:
            return str(error)
        return None

    def build_ids(self, name: str) -> list[str]:
        """Return the ids of the module's build, the best one first."""
        return build_ids_of(self._session, self._resolver.module(name))

    def sha256(self, name: str) -> str:
        """Hash the module's file. AddressError if that very file can't be read here."""
        import hashlib

        digest = hashlib.sha256()
        with open_file(self._session, self._resolver.module(name)) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        return digest.hexdigest()
