"""What a terminal shows while files are transferred: no result is drawn over."""

import re

import pytest

from qkdclient.cli.invocation import say, write
from qkdclient.progress import Display
from tests import requirement


class Terminal:
    """The lines that a terminal shows: it knows what the display sends."""

    def __init__(self) -> None:
        self.lines, self.row = [""], 0

    def write(self, text: str) -> int:
        for part in re.findall(r"\x1b\[\d*[A-Z]|[\r\n]|[^\x1b\r\n]+", text):
            self._show(part)
        return len(text)

    def _show(self, part: str) -> None:
        if part == "\n":
            self.row += 1
            self.lines += [""] * (self.row + 1 - len(self.lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            self.row -= int(part[2:-1])
            assert self.row >= 0
        elif part == "\x1b[J":
            self.lines = [*self.lines[: self.row], ""]
        elif part == "\x1b[K":
            self.lines[self.row] = ""
        elif part != "\r":
            self.lines[self.row] += part

    def flush(self) -> None:
        pass


@pytest.fixture
def terminal(monkeypatch):
    made = Terminal()
    monkeypatch.setattr("click.echo", lambda text, err=False: made.write(f"{text}\n"))  # noqa: ARG005 - one screen
    monkeypatch.setattr("qkdclient.progress.EVERY_SECONDS", 0)
    return made


@requirement("E11")
@pytest.mark.parametrize("files", [1, 3])
def test_no_result_is_drawn_over(files, terminal):
    with Display(shown=True, stream=terminal) as display:
        tracked = [display.track(f"file-{number}") for number in range(files)]
        for number, progress in enumerate(tracked):
            progress(5, 10)
            progress(10, 10)
            write(f"result {number}")
            say(f"told {number}")
    shown = [line for line in terminal.lines if line.startswith(("result", "told"))]
    assert shown == [text for number in range(files) for text in (f"result {number}", f"told {number}")]
    assert sum("100%" in line for line in terminal.lines) == 1, "the display stands once, below"
    assert "100%" in [line for line in terminal.lines if line][-1]
    write("afterwards")
    assert [line for line in terminal.lines if line][-1] == "afterwards"
