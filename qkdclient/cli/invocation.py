"""One call of the command: its options that may stand anywhere, its client, and what it writes."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from qkdclient import config, patience
from qkdclient.client import Client
from qkdclient.errors import ClientError, Exit
from qkdclient.names import shown
from qkdclient.progress import aside

T = TypeVar("T")


@dataclass
class Invocation:
    """What one call of the command was told."""

    as_json: bool = False
    url: str | None = None
    profile: str | None = None
    retry: float = patience.SECONDS
    limit_rate: int | None = None
    codes: set[Exit] = field(default_factory=set)

    def client(self) -> Client:
        """A client for the server and the key that were named."""
        access = config.access(self.url, self.profile)
        return Client(
            access.url,
            access.api_key,
            retry_seconds=self.retry,
            bytes_per_second=self.limit_rate,
            tell=say,
        )

    def show(self, item: Mapping[str, Any], line: str | None = None) -> None:
        """Write a result: as one line of JSON, as the given line, or a field a line."""
        if self.as_json:
            write(json.dumps(item))
        elif line is not None:
            write(line)
        else:
            width = max((len(name) for name in item), default=0)
            for name, value in item.items():
                if value is not None:
                    write(f"{name:{width}}  {as_cell(value)}")

    def fail(self, error: Exception, *, about: str = "") -> None:
        """Write what went wrong, and remember its exit code."""
        self.codes.add(Exit(getattr(error, "exit_code", Exit.FAILED)))
        say(f"{about}{': ' if about else ''}{as_told(error)}")

    def each(
        self, items: Sequence[T], act: Callable[[T], object], *, done: str, jobs: int = 1, about: str = ""
    ) -> None:
        """Do something with each of several things, whatever becomes of the others, and sum up at the end.

        What is named twice is done once. One thing is done without a thread: Ctrl-C ends it at once, as it should.
        """
        items = list(dict.fromkeys(items))

        def attempt(item: T) -> bool:
            try:
                act(item)
            except (ClientError, OSError) as error:
                self.fail(error, about=shown(item) if len(items) > 1 else about)
                return False
            return True

        if jobs > 1 and len(items) > 1:
            with ThreadPoolExecutor(jobs) as pool:
                results = list(pool.map(attempt, items))
        else:
            results = [attempt(item) for item in items]
        if len(items) > 1:
            failed = f", {results.count(False)} failed" if not all(results) else ""
            say(f"{results.count(True)} {done}{failed}.")

    def exit_code(self) -> Exit:
        """The code of all that went wrong, where it is one."""
        return next(iter(self.codes), Exit.DONE) if len(self.codes) < 2 else Exit.FAILED


def as_told(error: Exception) -> str:
    """What an error says; of the system's, what and where."""
    if isinstance(error, OSError):
        return f"{shown(error.filename or 'The system')}: {error.strerror or shown(error)}"
    return str(error)


def write(line: str) -> None:
    """Write a line of results."""
    with aside():
        click.echo(line)


def say(text: str) -> None:
    """Tell the user something that is no result."""
    with aside():
        click.echo(text, err=True)


def as_cell(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, dict | list):
        return shown(json.dumps(value, ensure_ascii=False))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else shown(value)


def table(rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Rows as lines with aligned columns, a page at a time so that a long list begins at once."""
    page: list[Sequence[str]] = []
    for row in rows:
        page.append(row)
        if len(page) == 100:
            yield from _aligned(page)
            page = []
    yield from _aligned(page)


def _aligned(page: list[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*page, strict=True)]
    for row in page:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def is_terminal() -> bool:
    """Return whether somebody watches."""
    return sys.stderr.isatty()
