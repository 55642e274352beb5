"""The product's errors. Each knows the exit code that tells Airflow what to do with it."""


class KindlingError(Exception):
    """Final: a retry would fail the same way."""

    exit_code = 1


class ConfigurationError(KindlingError):
    """A setting, recipe or argument is wrong; the message names file, key and allowed values."""

    exit_code = 2


class DataError(KindlingError):
    """The input is missing, damaged, or too poor to go on with."""

    exit_code = 3


class SourceAlarm(DataError):
    """A source's pages give worse than they gave: nothing of the night may go on (`source_alarm`)."""


class TransientError(KindlingError):
    """An outside service did not answer; the same call may succeed later (EX_TEMPFAIL)."""

    exit_code = 75


class BudgetSpent(KindlingError):
    """A run's budget for tokens or money does not cover the next call; what is there is usable."""

    exit_code = 3
