"""What tests of `TrafficShift` have in common."""


def alarm(fake, name, state):
    watch = fake.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName=name, MetricName="m", Namespace="n", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    watch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="5xx above 1")


def begin_and_wait(plugin, stack, text="step 1", **more):
    inputs = plugin.checked("TrafficShift", stack.shift(bakeSeconds=15, **more))
    call = plugin.begin("TrafficShift", inputs)
    plugin.lines.wait_for(text)
    return call
