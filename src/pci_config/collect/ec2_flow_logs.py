"""VPC flow logs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pci_config.collect._recording import Recording
from pci_config.collect._shapes import epoch_time, only, recorded
from pci_config.rule import Clients
from pci_config.tags import tag_map

FLOW_LOG = "AWS::EC2::FlowLog"
RESOURCE_TYPES = (FLOW_LOG,)
ACTIONS = ("ec2:DescribeFlowLogs",)


def collect(clients: Clients, account_id: str, region: str, now: datetime) -> Iterator[dict[str, Any]]:
    ec2 = clients.build_client("ec2", region)
    recording = Recording(account_id, region, now)
    for page in ec2.get_paginator("describe_flow_logs").paginate():
        for log in page["FlowLogs"]:
            configuration = only(
                recorded(log, time=epoch_time),
                "creationTime deliverLogsErrorMessage deliverLogsPermissionArn deliverLogsStatus flowLogId flowLogStatus"
                " logDestination logDestinationType logFormat logGroupName maxAggregationInterval resourceId trafficType"
                " destinationOptions",
            )
            yield recording.item(
                FLOW_LOG,
                log["FlowLogId"],
                {**configuration, "tags": recorded(log.get("Tags", []))},
                arn=f"arn:{ec2.meta.partition}:ec2:{region}:{account_id}:vpc-flow-log/{log['FlowLogId']}",
                tags=tag_map(log.get("Tags")),
                created=log.get("CreationTime"),
            )
