"""Adds to moto's CloudFormation the types around buckets, topics, queues, buses and alarms, and what it leaves out of a bucket.

Source: CloudFormation template reference of each type.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudwatch.models import Dimension, Metric, MetricDataQuery, MetricStat, cloudwatch_backends
from moto.events.models import EventBus, events_backends
from moto.logs.models import LogGroup, logs_backends
from moto.s3.models import FakeBucket, s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from pci_config.sandbox.member_stacks import StackFailed
from pci_config.sandbox.stack_types import Made, Properties, StackType, Where, register, words

BUCKET = words(
    "BucketName BucketEncryption Tags VersioningConfiguration PublicAccessBlockConfiguration OwnershipControls "
    "ObjectLockEnabled ObjectLockConfiguration LifecycleConfiguration LoggingConfiguration"
)
RULE = words("Id Status Prefix ExpirationInDays NoncurrentVersionExpiration AbortIncompleteMultipartUpload Transitions")
_moto_create_bucket = FakeBucket.create_from_cloudformation_json
_moto_update_bucket = FakeBucket.update_from_cloudformation_json
_moto_update_resource = parsing.parse_and_update_resource


def install() -> None:
    """Teach moto the types of this module. Installing again changes nothing."""
    FakeBucket.create_from_cloudformation_json = staticmethod(_create_bucket)  # type: ignore[method-assign]
    FakeBucket.update_from_cloudformation_json = staticmethod(_update_bucket)  # type: ignore[method-assign]
    FakeBucket.delete_from_cloudformation_json = staticmethod(_delete_bucket)  # type: ignore[method-assign]
    parsing.parse_and_update_resource = _update_resource
    EventBus.physical_resource_id = property(operator.attrgetter("name"))  # type: ignore[attr-defined]
    register(BUCKET_POLICY, TOPIC_POLICY, SUBSCRIPTION, QUEUE_POLICY, EVENT_BUS_POLICY, ALARM, METRIC_FILTER)


def _update_resource(
    logical_id: str, resource_json: dict[str, Any], resources_map: Any, account_id: str, region_name: str
) -> Any:
    """moto forgets a resource whose type it cannot update. Here a log group changes its retention, others are made anew."""
    updated: Any = _moto_update_resource(logical_id, resource_json, resources_map, account_id, region_name)
    before = resources_map._parsed_resources.get(logical_id)
    if updated is not None or before is None:
        return updated
    if isinstance(before, LogGroup):
        _, content, _ = parsing.parse_resource_and_generate_name(logical_id, resource_json, resources_map)
        before.retention_in_days = content["Properties"].get("RetentionInDays")
        return before
    resources_map._delete_resource(before, resource_json)
    return parsing.parse_and_create_resource(logical_id, resource_json, resources_map, account_id, region_name)


# ------------------------------------------------------------------------------------------------------------- buckets


def _create_bucket(
    resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **options: Any
) -> FakeBucket:
    properties = cloudformation_json.get("Properties") or {}
    unknown = sorted(set(properties) - BUCKET)
    if unknown:
        raise ValidationError(message=f"The sandbox does not imitate {', '.join(unknown)} of AWS::S3::Bucket")
    bucket = _moto_create_bucket(resource_name, cloudformation_json, account_id, region_name, **options)
    _configure(bucket, properties, account_id)
    return bucket


def _update_bucket(
    original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
) -> FakeBucket:
    properties = cloudformation_json.get("Properties") or {}
    named = {**properties, "BucketName": properties.get("BucketName", original_resource.name)}
    content = {**cloudformation_json, "Properties": named}
    bucket = _moto_update_bucket(original_resource, new_resource_name, content, account_id, region_name)
    _configure(bucket, properties, account_id)
    return bucket


def _delete_bucket(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> None:
    """A bucket with objects stays and the deletion fails; moto's stays, too, but says nothing."""
    del cloudformation_json, region_name
    if s3_backends[account_id]["aws"].delete_bucket(resource_name) is None:
        raise StackFailed(f"The bucket {resource_name} is not empty")


def _configure(bucket: FakeBucket, properties: Properties, account_id: str) -> None:
    backend, name = s3_backends[account_id]["aws"], bucket.name
    lock = properties.get("ObjectLockConfiguration") or {}
    if "VersioningConfiguration" in properties:
        backend.put_bucket_versioning(name, properties["VersioningConfiguration"]["Status"])
    if properties.get("PublicAccessBlockConfiguration"):
        blocked = {key: str(value).lower() for key, value in properties["PublicAccessBlockConfiguration"].items()}
        backend.put_public_access_block(name, blocked)
    if "OwnershipControls" in properties:
        (rule,) = properties["OwnershipControls"]["Rules"]
        backend.put_bucket_ownership_controls(name, rule["ObjectOwnership"])
    if str(properties.get("ObjectLockEnabled", "")).lower() == "true" or lock:
        bucket.object_lock_enabled, bucket.versioning_status = True, "Enabled"
        default = (lock.get("Rule") or {}).get("DefaultRetention") or {}
        bucket.default_lock_mode = default.get("Mode")
        bucket.default_lock_days = int(default["Days"]) if "Days" in default else None
        bucket.default_lock_years = int(default["Years"]) if "Years" in default else None
    if "LifecycleConfiguration" in properties:
        backend.put_bucket_lifecycle_configuration(
            name, [_rule(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
        )
    if "LoggingConfiguration" in properties:
        logging = properties["LoggingConfiguration"]
        bucket.logging = {
            "TargetBucket": logging.get("DestinationBucketName", name),
            "TargetPrefix": logging.get("LogFilePrefix", ""),
        }


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(rule) - RULE)
    if unknown:
        raise ValidationError(message=f"The sandbox does not imitate {', '.join(unknown)} of a lifecycle rule")
    made = {"ID": rule.get("Id"), "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": str(rule["ExpirationInDays"])}
    for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if name in rule:
            made[name] = {key: str(value) for key, value in rule[name].items()}
    if "Transitions" in rule:
        made["Transition"] = [
            {"Days": str(step["TransitionInDays"]), "StorageClass": step["StorageClass"]} for step in rule["Transitions"]
        ]
    return made


def _put_bucket_policy(where: Where, _name: str, properties: Properties) -> Made:
    document = json.dumps(properties["PolicyDocument"])
    s3_backends[where.account]["aws"].put_bucket_policy(properties["Bucket"], document.encode())
    return Made(properties["Bucket"])


def _delete_bucket_policy(where: Where, bucket: str, _properties: Properties) -> None:
    if bucket in s3_backends[where.account]["aws"].buckets:
        s3_backends[where.account]["aws"].delete_bucket_policy(bucket)


BUCKET_POLICY = StackType(
    "AWS::S3::BucketPolicy", words("Bucket PolicyDocument"), _put_bucket_policy, _delete_bucket_policy, "Bucket"
)

# --------------------------------------------------------------------------------------------- topics, queues and buses


def _put_topic_policy(where: Where, name: str, properties: Properties) -> Made:
    for topic in properties["Topics"]:
        sns_backends[where.account][where.region].set_topic_attribute(topic, "policy", json.dumps(properties["PolicyDocument"]))
    return Made(name)


def _subscribe(where: Where, _name: str, properties: Properties) -> Made:
    backend = sns_backends[where.account][where.region]
    subscription = backend.subscribe(properties["TopicArn"], properties["Endpoint"], properties["Protocol"])
    return Made(subscription.arn, {"Arn": subscription.arn})


def _unsubscribe(where: Where, arn: str, _properties: Properties) -> None:
    sns_backends[where.account][where.region].unsubscribe(arn)


def _put_queue_policy(where: Where, name: str, properties: Properties) -> Made:
    for url in properties["Queues"]:
        queue = url.rsplit("/", 1)[-1]
        policy = {"Policy": json.dumps(properties["PolicyDocument"])}
        sqs_backends[where.account][where.region].set_queue_attributes(queue, policy)
    return Made(name)


def _stays(_where: Where, _id: str, _properties: Properties) -> None:
    """The policy goes with its topic or queue."""


def _put_bus_policy(where: Where, _name: str, properties: Properties) -> Made:
    bus, sid = properties.get("EventBusName") or "default", properties["StatementId"]
    backend = events_backends[where.account][where.region]
    if "Statement" in properties:
        statement = {"Sid": sid, "Resource": backend.describe_event_bus(bus).arn, **properties["Statement"]}
        backend.describe_event_bus(bus)._statements.pop(sid, None)
        backend.put_permission(bus, "", "", "", {}, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    else:
        condition = properties.get("Condition") or {}
        backend.put_permission(bus, properties["Action"], properties["Principal"], sid, condition, "")
    return Made(f"{bus}|{sid}")


def _delete_bus_policy(where: Where, physical_id: str, _properties: Properties) -> None:
    bus, _, sid = physical_id.partition("|")
    backend = events_backends[where.account][where.region]
    if bus in backend.event_buses:
        backend.describe_event_bus(bus)._statements.pop(sid, None)


TOPIC_POLICY = StackType("AWS::SNS::TopicPolicy", words("PolicyDocument Topics"), _put_topic_policy, _stays)
SUBSCRIPTION = StackType(
    "AWS::SNS::Subscription", words("TopicArn Protocol Endpoint"), _subscribe, _unsubscribe, attributes=words("Arn")
)
QUEUE_POLICY = StackType("AWS::SQS::QueuePolicy", words("PolicyDocument Queues"), _put_queue_policy, _stays)
EVENT_BUS_POLICY = StackType(
    "AWS::Events::EventBusPolicy",
    words("EventBusName StatementId Statement Action Principal Condition"),
    _put_bus_policy,
    _delete_bus_policy,
)

# ---------------------------------------------------------------------------------------------------- alarms and filters


def _put_alarm(where: Where, name: str, properties: Properties) -> Made:
    def number(key: str, kind: Callable[[Any], Any]) -> Any:
        return kind(properties[key]) if key in properties else None

    alarm = cloudwatch_backends[where.account][where.region].put_metric_alarm(
        name=name,
        namespace=properties.get("Namespace"),  # type: ignore[arg-type]
        metric_name=properties.get("MetricName"),  # type: ignore[arg-type]
        metric_data_queries=[_query(query) for query in properties.get("Metrics") or []] or None,
        comparison_operator=properties["ComparisonOperator"],
        evaluation_periods=int(properties["EvaluationPeriods"]),
        datapoints_to_alarm=number("DatapointsToAlarm", int),
        period=number("Period", int),
        threshold=number("Threshold", float),
        statistic=properties.get("Statistic"),  # type: ignore[arg-type]
        description=properties.get("AlarmDescription"),  # type: ignore[arg-type]
        dimensions=list(properties.get("Dimensions") or []),
        alarm_actions=list(properties.get("AlarmActions") or []),
        ok_actions=list(properties.get("OKActions") or []),
        insufficient_data_actions=list(properties.get("InsufficientDataActions") or []),
        unit=properties.get("Unit"),
        actions_enabled=str(properties.get("ActionsEnabled", True)).lower() == "true",
        treat_missing_data=properties.get("TreatMissingData"),
        tags=list(properties.get("Tags") or []),
    )
    return Made(name, {"Arn": alarm.alarm_arn})


def _query(query: Mapping[str, Any]) -> MetricDataQuery:
    stat: Mapping[str, Any] = query.get("MetricStat") or {}
    metric: Mapping[str, Any] = stat.get("Metric") or {}
    return MetricDataQuery(
        query_id=query["Id"],
        label=query.get("Label", ""),
        period=query.get("Period", ""),
        return_data=query.get("ReturnData", "true"),
        expression=query.get("Expression"),
        metric_stat=None
        if not stat
        else MetricStat(
            metric=Metric(
                metric_name=metric["MetricName"],
                namespace=metric["Namespace"],
                dimensions=[Dimension(name=entry["Name"], value=entry["Value"]) for entry in metric.get("Dimensions") or []],
            ),
            period=stat["Period"],
            stat=stat["Stat"],
            unit=stat.get("Unit", ""),
        ),
    )


def _delete_alarm(where: Where, name: str, _properties: Properties) -> None:
    cloudwatch_backends[where.account][where.region].delete_alarms([name])


def _put_filter(where: Where, name: str, properties: Properties) -> Made:
    transformations = [
        {key[0].lower() + key[1:]: value for key, value in t.items()} for t in properties["MetricTransformations"]
    ]
    logs_backends[where.account][where.region].put_metric_filter(
        name,
        properties["FilterPattern"],
        properties["LogGroupName"],
        transformations,  # type: ignore[arg-type]
    )
    return Made(name)


def _delete_filter(where: Where, name: str, properties: Properties) -> None:
    logs_backends[where.account][where.region].delete_metric_filter(name, properties["LogGroupName"])


ALARM = StackType(
    "AWS::CloudWatch::Alarm",
    words(
        "AlarmName AlarmDescription Namespace MetricName Metrics ComparisonOperator EvaluationPeriods DatapointsToAlarm "
        "Period Threshold Statistic Dimensions AlarmActions OKActions InsufficientDataActions Unit "
        "ActionsEnabled TreatMissingData Tags"
    ),
    _put_alarm,
    _delete_alarm,
    "AlarmName",
    words("Arn"),
)
METRIC_FILTER = StackType(
    "AWS::Logs::MetricFilter",
    words("FilterName FilterPattern LogGroupName MetricTransformations"),
    _put_filter,
    _delete_filter,
    "FilterName",
)
