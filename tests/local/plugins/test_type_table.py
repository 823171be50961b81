"""The table against botocore's service models: what it names must exist there."""

import jmespath
import pytest

from local.plugins.aws import validate
from local.plugins.aws.model import NOTHING
from local.plugins.aws.template import mentioned
from local.plugins.aws.types import TABLE

TYPES = list(TABLE.values())
SPECIAL = {"id", "region", "account", "partition", "tags", "keys", "keyed", "id.0", "id.1"}


def calls(kind):
    tags = [kind.tags.add, kind.tags.remove] if kind.tags else []
    return [call for call in (kind.create, *kind.after, *kind.update, *kind.delete, *tags) if call]


def looks(kind):
    tags = [kind.tags.look] if kind.tags else []
    return [look for look in (kind.adopt, kind.read, *kind.looks, *tags) if look]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.kind)
def test_a_type_names_only_what_aws_has(kind):
    for call in calls(kind):
        members = validate.operation(call.service or kind.service, call.operation).input_shape.members
        apis = [kind.properties[name].api for name in call.sends.split()]
        sent = {api.split(".")[0] for api in apis if api} | set(call.params) - {"?"}
        assert sent <= set(members), f"{call.operation}: {sent - set(members)}"
    for look in looks(kind):
        members = validate.operation(kind.service, look.operation).input_shape.members
        assert set(look.params) <= set(members)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.kind)
def test_templates_mention_only_what_the_type_has(kind):
    known = {*kind.properties, *kind.outputs, *kind.derived, *SPECIAL}
    for call in calls(kind):
        used = {*mentioned(call.params), *mentioned(call.when), *mentioned(call.unless), *call.on.split()}
        assert used <= known, f"{call.operation}: {used - known}"
    for look in looks(kind):
        assert {*mentioned(look.params), *mentioned(look.path)} <= known
        assert set(look.gives) <= {*kind.properties, *kind.outputs}
    assert {*kind.unique, *([kind.name] if kind.name else []), *kind.volatile} <= known
    assert set().union(*map(set, map(mentioned, kind.derived.values()))) <= known


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.kind)
def test_what_is_read_is_a_path(kind):
    paths = [prop.path for prop in kind.properties.values() if prop.path and not prop.attribute]
    paths += [output if isinstance(output, str) else output[0] for output in kind.outputs.values()]
    for path in filter(None, paths):
        jmespath.compile(path)
    given = {name for look in kind.looks for name in look.gives}
    assert {name for name, output in kind.outputs.items() if output == ""} <= given


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.kind)
def test_every_property_can_change_one_way_or_another(kind):
    """Replaced, sent by an update, or for the plugin alone: nothing that a program changes is passed over."""
    updated = {name for call in kind.update for name in call.names}
    attributes = any(call.attributes for call in kind.update)
    for name, prop in kind.properties.items():
        changes = prop.replace or prop.local or name in updated or (prop.attribute and attributes)
        assert changes, f"a change of {name} would go nowhere"


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.kind)
def test_every_property_reaches_aws(kind):
    sent = {name for call in calls(kind) for name in call.names} | set(mentioned(kind.id))
    attributes = any(call.attributes for call in kind.update)
    adopted = set(mentioned(kind.adopt.params)) if kind.adopt else set()
    for name, prop in kind.properties.items():
        used = {*mentioned([call.when for call in calls(kind)]), *mentioned([call.unless for call in calls(kind)])}
        assert name in sent | used | adopted or prop.local or (prop.attribute and attributes), name


def test_optional_properties_that_go_away_have_a_value_to_go_to():
    """Without one an update that takes the property away is refused, so each such property is listed here."""
    required = {
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "ipProtocol"),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "ipProtocol"),
        ("aws:rds/subnetGroup:SubnetGroup", "subnetIds"),
        ("aws:rds/instance:Instance", "instanceClass"),
        ("aws:kms/alias:Alias", "targetKeyId"),
        ("aws:iam/role:Role", "assumeRolePolicy"),
        ("aws:iam/rolePolicy:RolePolicy", "policy"),
        ("aws:ecr/lifecyclePolicy:LifecyclePolicy", "policy"),
        ("aws:ecs/service:Service", "taskDefinition"),
        ("aws:ecs/service:Service", "networkConfiguration"),
        ("aws:lb/listener:Listener", "port"),
        ("aws:lb/listener:Listener", "defaultActions"),
        ("aws:lb/listenerRule:ListenerRule", "priority"),
        ("aws:lb/listenerRule:ListenerRule", "conditions"),
        ("aws:lb/listenerRule:ListenerRule", "actions"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "comparisonOperator"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "evaluationPeriods"),
    }
    found = {
        (kind.kind, name)
        for kind in TYPES
        for name, prop in kind.properties.items()
        if prop.absent is NOTHING and prop.default is None and not (prop.replace or prop.computed or prop.local)
    }
    assert found == required
