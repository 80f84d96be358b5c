"""The one exception that users see as a sentence instead of a traceback."""


class KWScopeError(Exception):
    """Bad input or a failed device.

    The message is one clear sentence that names the file, argument or device and says what to do.
    The command line prints it and exits with ``exit_code``; the window shows it where it arose.
    """

    exit_code = 2
