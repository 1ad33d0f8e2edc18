"""Parts of an encrypted upload: each byte once, in order, whatever the writes are."""

import pytest

from qkdclient.uploads import PartsSink
from tests import requirement


@requirement("C8")
@pytest.mark.parametrize("size", [1, 9, 10, 11, 20, 35])
@pytest.mark.parametrize("write_size", [1, 7, 10, 64])
def test_what_is_written_arrives_in_parts_of_one_size(size: int, write_size: int) -> None:
    content, sent = bytes(range(size)), list[tuple[int, bytes]]()
    sink = PartsSink(lambda number, part: sent.append((number, part)), 10)
    for start in range(0, size, write_size):
        sink.write(memoryview(content[start : start + write_size]))
    sink.send_rest()
    assert b"".join(part for _, part in sent) == content
    assert [number for number, _ in sent] == list(range(1, -(-size // 10) + 1))
    assert all(len(part) == 10 for _, part in sent[:-1])
