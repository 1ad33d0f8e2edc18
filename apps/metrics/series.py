"""What was recorded, until it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.metrics.catalog import Kind, Metric

MOST_VALUES = 1000  # of one distribution between two flushes


@dataclass(slots=True)
class Series:
    """What was recorded of one metric with one set of dimensions since the last flush."""

    metric: Metric
    dimensions: Mapping[str, str]
    values: list[float] = field(default_factory=list)  # of a counter one: the sum; of a gauge one: the latest

    def add(self, value: float) -> None:
        """Take one more value in."""
        if self.metric.kind is Kind.DISTRIBUTION:
            if len(self.values) < MOST_VALUES:
                self.values.append(value)
        elif self.metric.kind is Kind.COUNTER:
            self.values[:] = [sum(self.values) + value]
        else:
            self.values[:] = [value]
