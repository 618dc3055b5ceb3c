"""Errors that a stranger can act on: where, found, expected, what to do. Never a person's data. Exit codes are for scripts."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a `lake` command tells the script that called it."""

    OK = 0
    FAILED = 1  # an unforeseen error; the log has the rest
    USAGE = 2  # the command was called wrongly
    BAD_INPUT = 3  # a file or a value that the sender must mend; nothing else was stopped
    BAD_CONFIG = 4  # config/ or an environment variable
    NOT_READY = 5  # something that must come first: setup, keys, masters, deliveries
    BUSY = 6  # another process holds the lake


class LakeError(Exception):
    """One clear line: `where: found …; expected …. What to do.`"""

    def __init__(self, where: str, found: str, expected: str, action: str, code: ExitCode = ExitCode.BAD_INPUT):
        self.where, self.found, self.expected, self.action, self.code = where, found, expected, action, code
        super().__init__(f"{where}: {found}; expected {expected}. {action}")
