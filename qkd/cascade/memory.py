"""Working memory that goes from batch to batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Memory:
    """Arrays by name, kept for whoever asks next: memory that a thread gives back is cleared by the kernel each time.

    One thread uses it at a time. What an array holds at first is whatever was left in it.
    """

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._kept: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, size: int, dtype: Any) -> NDArray[Any]:
        """Return the array of a name, shape (size,)."""
        wanted = size * np.dtype(dtype).itemsize
        if name not in self._kept or self._kept[name].size < wanted:
            self._kept[name] = np.empty(wanted, np.uint8)
        return self._kept[name][:wanted].view(dtype)
