"""Adds to moto's CloudWatch Logs that a metric filter of the same name and log group is updated, not added a second time.

Source: CloudWatch Logs API reference, PutMetricFilter ("creates or updates").
"""

from __future__ import annotations

from typing import Any

from moto.logs.metric_filters import MetricFilters

_add = MetricFilters.add_filter


def install() -> None:
    """Teach moto to update. Installing again changes nothing."""
    MetricFilters.add_filter = add_filter  # type: ignore[method-assign]


def add_filter(self: Any, filter_name: str, filter_pattern: str, log_group_name: str, metric_transformations: str) -> None:
    self.metric_filters = [
        each for each in self.metric_filters if (each["filterName"], each["logGroupName"]) != (filter_name, log_group_name)
    ]
    _add(self, filter_name, filter_pattern, log_group_name, metric_transformations)
