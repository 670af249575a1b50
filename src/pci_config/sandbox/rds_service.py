"""Adds to moto's RDS that clusters are found by their resource id, and that ModifyDBCluster exports logs.

Source: RDS API reference (DescribeDBClusters, CloudwatchLogsExportConfiguration); Aurora user guide, publishing logs.
"""

from __future__ import annotations

from typing import Any

from moto.rds.models import DBCluster, RDSBackend
from moto.rds.utils import FilterDef

_modify = RDSBackend.modify_db_cluster


def install() -> None:
    """Teach moto these. Installing again changes nothing."""
    DBCluster.SUPPORTED_FILTERS["db-cluster-resource-id"] = FilterDef(["db_cluster_resource_id"], "DB Cluster Resource Ids")
    RDSBackend.modify_db_cluster = modify_db_cluster  # type: ignore[method-assign]


def modify_db_cluster(self: Any, kwargs: dict[str, Any]) -> Any:
    asked = kwargs.pop("cloudwatch_logs_export_configuration", None) or {}
    modified = _modify(self, kwargs)
    cluster = self.clusters[modified.db_cluster_identifier]
    left = [name for name in cluster.enabled_cloudwatch_logs_exports if name not in asked.get("DisableLogTypes", [])]
    cluster.enabled_cloudwatch_logs_exports = left + [name for name in asked.get("EnableLogTypes", []) if name not in left]
    return modified
