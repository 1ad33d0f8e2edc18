"""A form's field of several words, one a line."""

from typing import Any

from django import forms


class LinesField(forms.CharField):
    """Several words, one a line; each once, in the order in which they were given."""

    def __init__(self, *, columns: int = 50, **options: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea({"rows": 3, "cols": columns}), **options)

    def to_python(self, value: Any) -> Any:
        lines = (line.strip() for line in (super().to_python(value) or "").splitlines())
        return tuple(dict.fromkeys(line for line in lines if line))
