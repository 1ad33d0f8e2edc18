"""Jobs that run what somebody asked for at the console."""

from apps.jobs.kinds import JobKind


class OperationsJob(JobKind):
    """Jobs of operators, which a worker does: the function that answers people may not."""

    REDRIVE = (
        "redrive_dead_letters",
        "Tries dead letters again, each once.",
        "operations.redrive",
        "letters",
        "Retry it, or ask again: what succeeded is gone from the dead letters.",
    )
    RUN_SCHEDULE = (
        "run_schedule",
        "Runs the parts of a schedule at once.",
        "operations.run_schedule",
        "parts",
        "Retry it, or ask again: a part does what is due, however often it runs.",
    )
