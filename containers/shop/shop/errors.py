"""What the command line tells in one line instead of a traceback."""


class BadInput(Exception):
    """Something given to the shop cannot be used: a folder, a file, a port. Exit code 2."""
