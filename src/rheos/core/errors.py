"""The errors Rheos raises on purpose.

Every message is one sentence that says what was found, where (file, column, stamp, index) and what to
do. The command line prints it on stderr and leaves with exit code 2; anything else is a bug.
"""


class RheosError(Exception):
    """Base of every deliberate error."""


class InputError(RheosError, ValueError):
    """A user's file, option, recipe or argument cannot be used as it is."""


class IncompatibleError(RheosError, ValueError):
    """A combination of methods that the mathematics does not allow; raised before any work."""
