"""Errors that a stranger can act on: where, found, expected, what to do. Never a person's data. Exit codes are for scripts."""

import errno
import re
import traceback
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a `lake` command tells the script that called it."""

    OK = 0
    FAILED = 1  # an unforeseen error; the log has the rest
    USAGE = 2  # the command was called wrongly
    BAD_INPUT = 3  # a file or a value that the sender must mend; nothing else was stopped
    BAD_CONFIG = 4  # config/ or an environment variable
    NOT_READY = 5  # something that must come first: setup, keys, masters, deliveries
    BUSY = 6  # another process holds the lake
    MACHINE = 7  # disk full, folder read-only, no memory: the machine's owner mends it
    GATE = 8  # a gate stands in the way of publication: mend what it names, or publish despite it with a reason
    OUTDATED = 9  # the marts are older than the claims or lists: a build comes first


class LakeError(Exception):
    """One clear line: `where: found …; expected …. What to do.`"""

    def __init__(self, where: str, found: str, expected: str, action: str, code: ExitCode = ExitCode.BAD_INPUT):
        self.where, self.found, self.expected, self.action, self.code = where, found, expected, action, code
        super().__init__(f"{where}: {found}; expected {expected}. {action}")

    def __reduce__(self) -> tuple:
        return LakeError, (self.where, self.found, self.expected, self.action, self.code)  # one kind crosses processes


AGAIN = "then run the command again: it goes on where it stopped."
FULL = ("no space left", "room for the lake's tables", f"Free some space, {AGAIN}")
CLOSED = ("may not be written or read", "a folder that this user may use", f"Correct its owner, mode or mount, {AGAIN}")
OF_MACHINE = {  # errno → found, expected, what to do
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: ("a file may not grow further", "no limit on the size of files (ulimit -f)", f"Raise the limit, {AGAIN}"),
    errno.EACCES: CLOSED,
    errno.EPERM: CLOSED,
    errno.EROFS: CLOSED,
    errno.ENOENT: ("not there", "the file or folder", f"Put it back or correct the path, {AGAIN}"),
    errno.ENOTDIR: ("a file where a folder should be", "a folder", f"Correct the path, {AGAIN}"),
    errno.EISDIR: ("a folder where a file should be", "a file", f"Correct the path, {AGAIN}"),
    errno.EMFILE: ("too many open files", "a higher limit (ulimit -n)", f"Raise the limit, {AGAIN}"),
    errno.EIO: ("the disk can not be read or written", "a sound disk", f"Check the disk, {AGAIN}"),
    errno.ENOMEM: ("no memory left", "more memory", f"Close other programs or lower LAKE_CORES, {AGAIN}"),
}
OS_ERROR = re.compile(r"\(os error (\d+)\)|\bcode: (\d+), kind: ")  # how Rust libraries (delta-rs, polars) write an errno


def explained(error: BaseException, place: Path) -> LakeError | None:
    """The error in four parts if it comes from the machine or from a table's state, else None. `place`: where, if it does not say.

    Only the kind of an error is told, never its text: libraries quote the values that they choke on. One fixed phrase is looked for in it.
    """
    for cause in _causes(error):
        if isinstance(cause, LakeError):
            return cause
        if isinstance(cause, MemoryError):
            return LakeError(str(place), *OF_MACHINE[errno.ENOMEM], ExitCode.MACHINE)
        if (number := _errno(cause)) in OF_MACHINE:
            return LakeError(_place(cause) or str(place), *OF_MACHINE[number], ExitCode.MACHINE)
        match type(cause).__name__:  # by name: deltalake is loaded only where it is used
            case "CommitFailedError" if "Unsupported table features" in str(cause):
                return LakeError(
                    str(place), "a table of an earlier build, with features that only Spark writes", "tables as this version builds them",
                    "Make the tables of dbt anew: the commands of docs/runbooks/restore.md from `rm -rf` on.", ExitCode.NOT_READY,
                )  # fmt: skip
            case "CommitFailedError":
                return LakeError(
                    str(place), "another program wrote to the same table meanwhile", "one writer at a time",
                    "Run the command again when the other has ended.", ExitCode.BUSY,
                )  # fmt: skip
            case "BrokenProcessPool":
                return LakeError(
                    str(place), "a process that read receipts was ended from outside", "memory for one process per core",
                    f"Close other programs or lower LAKE_CORES, {AGAIN}", ExitCode.MACHINE,
                )  # fmt: skip
            case "SchemaMismatchError" | "DeltaProtocolError":
                return LakeError(
                    str(place), "a table of another version of this project", "the columns of spark_jobs/tables.py", "Run lake migrate.",
                    ExitCode.NOT_READY,
                )  # fmt: skip
    return None


def unforeseen(error: BaseException, place: Path) -> LakeError:
    """Kind and place in the code of any other error."""
    spots = frames(error)
    return LakeError(
        spots[-1] if spots else str(place), type(error).__name__, "no such error",
        f"Its words are not shown, they may quote a receipt: LAKE_TRACEBACK=1 shows all. Steps are in {place / 'logs' / 'lake.jsonl'}.",
        ExitCode.FAILED,
    )  # fmt: skip


def frames(error: BaseException) -> list[str]:
    """File and line of each step through this project's own code, outermost first."""
    root = Path(__file__).parent
    return [
        f"{Path(frame.filename).relative_to(root.parent)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root)
    ]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _errno(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = OS_ERROR.search(str(error))
    return int(found[1] or found[2]) if found else None


def _place(error: BaseException) -> str | None:
    name = getattr(error, "filename", None)
    return str(name) if name else None
