"""Log groups and alarms (services CloudWatch Logs and CloudWatch)."""

from local.plugins.aws.blocks import Block, Blocks, pascal
from local.plugins.aws.codec import SET, Before, Pairs
from local.plugins.aws.model import Call, Look, Type, fixed, local, plain
from local.plugins.aws.types import tagging

LOG_GROUP = Type(
    kind="aws:cloudwatch/logGroup:LogGroup",
    service="logs",
    properties={
        "name": fixed("logGroupName"),
        "kmsKeyId": fixed("kmsKeyId"),
        "logGroupClass": fixed("logGroupClass", computed=True),
        "retentionInDays": plain("retentionInDays", default=0),
        "skipDestroy": local(default=False),
    },
    outputs={"arn": ("arn", Before(":*"))},
    id="{name}",
    create=Call(operation="create_log_group", sends="name kmsKeyId logGroupClass"),
    read=Look(
        operation="describe_log_groups",
        params={"logGroupNamePrefix": "{name|id}"},
        path="logGroups[?logGroupName=='{name|id}'] | [0]",
    ),
    # 0 is for ever, and for that AWS has a call of its own.
    update=(
        Call(
            operation="put_retention_policy",
            sends="retentionInDays",
            params={"logGroupName": "{id}"},
            when="{retentionInDays}",
        ),
        Call(
            operation="delete_retention_policy",
            params={"logGroupName": "{id}"},
            on="retentionInDays",
            when="{old.retentionInDays}",
            unless="{retentionInDays}",
        ),
    ),
    delete=(Call(operation="delete_log_group", params={"logGroupName": "{id}"}, unless="{skipDestroy}"),),
    gone=("ResourceNotFoundException",),
    name="name",
    name_length=512,
    tags=tagging.LOGS,
)

_METRIC = Block(
    pascal(
        "period stat unit",
        metricName="Metric.MetricName",
        namespace="Metric.Namespace",
        dimensions=("Metric.Dimensions", Pairs("Name", "Value")),
    )
)
_ALARM = {
    "alarmDescription": plain("AlarmDescription", absent=None),
    "comparisonOperator": plain("ComparisonOperator"),
    "evaluationPeriods": plain("EvaluationPeriods"),
    "datapointsToAlarm": plain("DatapointsToAlarm", absent=None),
    "threshold": plain("Threshold", absent=None),
    "metricName": plain("MetricName", absent=None),
    "namespace": plain("Namespace", absent=None),
    "dimensions": plain("Dimensions", Pairs("Name", "Value"), absent=None),
    "period": plain("Period", absent=None),
    "statistic": plain("Statistic", absent=None),
    "extendedStatistic": plain("ExtendedStatistic", absent=None),
    "unit": plain("Unit", absent=None),
    "treatMissingData": plain("TreatMissingData", default="missing"),
    "actionsEnabled": plain("ActionsEnabled", default=True),
    "alarmActions": plain("AlarmActions", SET, absent=None),
    "okActions": plain("OKActions", SET, absent=None),
    "insufficientDataActions": plain("InsufficientDataActions", SET, absent=None),
    "metricQueries": plain(
        "Metrics",
        Blocks(
            pascal("id expression label returnData period accountId", metric=("MetricStat", _METRIC)), ordered=False
        ),
        absent=None,
    ),
}

METRIC_ALARM = Type(
    kind="aws:cloudwatch/metricAlarm:MetricAlarm",
    service="cloudwatch",
    properties={"name": fixed("AlarmName"), **_ALARM},
    outputs={"arn": "AlarmArn"},
    id="{name}",
    create=Call(operation="put_metric_alarm", sends=" ".join(_ALARM) + " name"),
    read=Look(operation="describe_alarms", params={"AlarmNames": ["{name|id}"]}, path="MetricAlarms[0]"),
    # AWS replaces the whole alarm.
    update=(Call(operation="put_metric_alarm", sends=" ".join(_ALARM), params={"AlarmName": "{id}"}, whole=True),),
    delete=(Call(operation="delete_alarms", params={"AlarmNames": ["{id}"]}),),
    gone=("ResourceNotFound",),
    name="name",
    tags=tagging.CLOUDWATCH,
)

TYPES = (LOG_GROUP, METRIC_ALARM)
