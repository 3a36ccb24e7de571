"""Errors that a user can act on.

Every message is one line that says what is wrong, where, and what to do. The command line prints that line alone
and exits with the error's `exit_status`; library callers catch `TriskelError`,
or the `ValueError` that bad input also is.
"""

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 100, 100


def shown(value: object) -> str:
    """Return a value of the user's for a message, shortened: a YAML file of ten lines can hold a billion words."""
    return _SHORT.repr(value)


class TriskelError(Exception):
    """Base of every error raised on purpose; `exit_status` is what the command line ends with."""

    exit_status = 1


class InputError(TriskelError, ValueError):
    """The user's input is wrong: a path, an option, a file's content."""

    exit_status = 2


class ConfigError(InputError):
    """A configuration, rig or skeleton description is malformed; the message names the key and the known ones."""


class SessionError(InputError):
    """A session folder is missing a part, or a part cannot be read."""


class JobError(TriskelError):
    """The input was fine, yet the job could not be done (no network, no disk space, a tool that failed)."""
