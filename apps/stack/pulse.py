"""Whether the embedded AWS and the console still answer: a process that is there and stands still is no use to anybody."""

import threading
import time
from collections.abc import Callable

from apps.stack.configuration import Configuration
from apps.stack.ports import status_of

# Far beyond any pause of its own; the console is answered late by whatever else the machine does
PATIENCE_SECONDS = {"aws": 30.0, "web": 90.0}
ASK_SECONDS = {"aws": 2.0, "web": 10.0}  # between two questions
ANSWER_SECONDS = {"aws": 5.0, "web": 30.0}  # that one question waits: a late answer is one
LATE_SECONDS = 1.0  # beyond these two and this, a question does not count: this process itself stood still
CALM_SECONDS = 3600.0  # that it answers without a gap, and patience is again what it was at first
LONGEST_SECONDS = 3600.0
ALIVE_PATH, LIVE_PATH = "/_ministack/health", "/api/v1/health"


class Pulse:
    """Asks one part in a thread of its own, as an answer may take long.

    Each time that it was ended for its silence it is given twice as long: on a machine that is only slow, being started
    again and again would make it slower still.
    """

    def __init__(self, name: str, ask: Callable[[], bool]) -> None:
        self.name = name
        self._ask = ask
        self._silent = self._answering = 0.0  # seconds, as far as it was asked in them
        self._expected = False
        self._lives = self._ends = 0
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_asking, name=f"pulse-{name}", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def expect_later(self) -> None:
        """It was started again: until it first answers, its start may be long."""
        with self._changing:
            self._expect_another()

    def expect_longer(self) -> None:
        """It was ended for its silence: the next time that is waited for twice as long."""
        with self._changing:
            self._ends += 1
            self._expect_another()

    def _expect_another(self) -> None:
        self._expected, self._silent, self._answering = False, 0.0, 0.0
        self._lives += 1

    @property
    def patience(self) -> float:
        """The seconds without an answer after which it is taken for frozen."""
        return float(min(LONGEST_SECONDS, PATIENCE_SECONDS[self.name] * 2.0**self._ends))

    @property
    def frozen(self) -> bool:
        """Return whether it answered once and then not for as long as patience lasts, in which it was asked again and again."""
        return self._expected and self._silent > self.patience

    def _keep_asking(self) -> None:
        asked = time.monotonic()
        while not self._stop.wait(ASK_SECONDS[self.name]):
            life = self._lives
            answers = self._ask()
            now = time.monotonic()
            with self._changing:
                if life == self._lives:  # else it was asked of the one before
                    self._note(answers, now - asked)
            asked = now

    def _note(self, answers: bool, passed: float) -> None:
        if answers:
            self._silent, self._expected = 0.0, True
            self._answering += passed
            if self._answering > CALM_SECONDS:
                self._ends = 0
        else:
            # Not by the clock alone: a supervisor that was stopped and goes on would end a part that is well
            longest = ASK_SECONDS[self.name] + ANSWER_SECONDS[self.name] + LATE_SECONDS
            self._silent += min(passed, longest)
            self._answering = 0.0


def of_parts(configuration: Configuration) -> dict[str, Pulse]:
    """Make the pulse of each part that is asked: those that listen, and whose answer needs nobody else."""
    host = configuration.allowed_hosts.split(",")[0]

    def aws() -> bool:
        return status_of("127.0.0.1", configuration.aws_port, ALIVE_PATH) == 200

    def web() -> bool:
        """Whatever it says: who answers does not stand still."""
        found = status_of(
            configuration.reachable,
            configuration.port,
            LIVE_PATH,
            host_header=host,
            seconds=ANSWER_SECONDS["web"],
        )
        return found is not None

    return {name: Pulse(name, ask) for name, ask in (("aws", aws), ("web", web))}
