"""What the supervisor says instead of a traceback."""


class SupervisorError(Exception):
    """The command cannot go on; the message says why and what to do about it."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interrupted(BaseException):
    """SIGTERM or SIGHUP came. A BaseException, as KeyboardInterrupt is: no handler of errors swallows it."""
