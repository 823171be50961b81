"""What a task is started from, and why one does not start."""

import re

import pytest

pytestmark = pytest.mark.slow


def test_the_environment_is_put_together_as_on_ecs(aws):
    names = ("FROM_IMAGE", "BOTH", "TWICE", "HOST", "AWS_REGION", "PATH")
    container = aws.container(
        command=("env", *names),
        environment=[{"name": "BOTH", "value": "definition"}, {"name": "TWICE", "value": "definition"}],
    )
    override = {
        "name": "app",
        "environment": [{"name": "TWICE", "value": "override"}, {"name": "HOST", "value": "127.0.0.1"}],
    }
    arn = aws.run(aws.define(containers=[container]), overrides={"containerOverrides": [override]})
    task = aws.stopped(arn)
    said = dict(line.split("=", 1) for line in aws.lines(arn))
    assert (said["FROM_IMAGE"], said["BOTH"], said["TWICE"]) == ("yes", "definition", "override")
    assert said["HOST"] == aws.address(task) == task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
    assert said["HOST"].startswith("127.64.")
    assert said["cwd"].endswith("/app")
    assert "AWS_SECRET_ACCESS_KEY" not in said["names"]
    assert "PYTEST_CURRENT_TEST" not in said["names"]


def test_an_override_replaces_the_command(aws):
    arn = aws.run(
        aws.define("exit", "1"), overrides={"containerOverrides": [{"name": "app", "command": ["print", "instead"]}]}
    )
    task = aws.stopped(arn)
    assert (task["containers"][0]["exitCode"], aws.lines(arn)) == (0, ["instead"])
    assert task["overrides"]["containerOverrides"] == [{"name": "app", "command": ["print", "instead"]}]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"image": "nowhere/app:1"}, "CannotPullContainerError: pull image manifest: nowhere/app:1: not found"),
        (
            {"entryPoint": ["nothing-like-it"]},
            'CannotStartContainerError: .*"nothing-like-it": executable file not found',
        ),
        ({"entryPoint": ["/no/such/file"]}, 'CannotStartContainerError: .*"/no/such/file": no such file or directory'),
        ({"workingDirectory": "/absent"}, "CannotStartContainerError: no such working directory in the image"),
        (
            {
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": "/absent",
                        "awslogs-region": "eu-west-1",
                        "awslogs-stream-prefix": "blue",
                    },
                }
            },
            "ResourceInitializationError: failed to validate logger args: .*The specified log group does not exist",
        ),
        (
            {
                "secrets": [
                    {"name": "S", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-AbCdEf"}
                ]
            },
            "ResourceInitializationError: unable to pull secrets or registry auth: .*ResourceNotFoundException",
        ),
    ],
)
def test_a_task_that_cannot_start_says_why(aws, fields, reason):
    arn = aws.run(aws.define(containers=[aws.container(**fields)]))
    task = aws.stopped(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert re.match(reason, task["stoppedReason"]), task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]
    assert "startedAt" not in task


def test_a_script_whose_interpreter_is_missing_fails_to_start(aws):
    script = aws.images.known[aws.image].rootfs / "app" / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    arn = aws.run(aws.define(containers=[aws.container(entryPoint=["/app/script"])]))
    task = aws.stopped(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert "no such file or directory" in task["containers"][0]["reason"]


def test_secrets_are_resolved_by_the_arn_rules_of_ecs(aws):
    secrets, ssm = aws.client("secretsmanager"), aws.client("ssm")
    made = secrets.create_secret(Name="shop/db", SecretString='{"password": "first", "port": 5432}')
    arn = made["ARN"]
    secrets.put_secret_value(SecretId=arn, SecretString='{"password": "second", "port": 5432}')
    ssm.put_parameter(Name="/shop/plain", Value="from ssm", Type="String")
    ssm.put_parameter(Name="sealed", Value="sealed value", Type="SecureString")
    references = {
        "WHOLE": arn,
        "KEY": f"{arn}:password::",
        "NUMBER": f"{arn}:port::",
        "STAGE": f"{arn}:password:AWSPREVIOUS:",
        "VERSION": f"{arn}:password::{made['VersionId']}",
        "PARAMETER": "/shop/plain",
        "PARAMETER_ARN": "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/plain",
        "SEALED": "arn:aws:ssm:eu-west-1:123456789012:parameter/sealed",
    }
    container = aws.container(
        command=("env", *references), secrets=[{"name": name, "valueFrom": value} for name, value in references.items()]
    )
    task = aws.stopped(aws.run(aws.define(containers=[container])))
    assert task["stopCode"] == "EssentialContainerExited", task["stoppedReason"]
    said = dict(line.split("=", 1) for line in aws.lines(task["taskArn"]))
    assert {name: said[name] for name in references} == {
        "WHOLE": '{"password": "second", "port": 5432}',
        "KEY": "second",
        "NUMBER": "5432",
        "STAGE": "first",
        "VERSION": "first",
        "PARAMETER": "from ssm",
        "PARAMETER_ARN": "from ssm",
        "SEALED": "sealed value",
    }


@pytest.mark.parametrize(
    ("suffix", "reason"),
    [
        (":absent::", "did not contain json key absent"),
        (":password:NEVER:", "ResourceNotFoundException"),
        (":password", "unexpected ARN format"),
    ],
)
def test_a_secret_that_has_no_such_part_fails_the_start(aws, suffix, reason):
    arn = aws.client("secretsmanager").create_secret(Name="shop/db", SecretString='{"password": "x"}')["ARN"]
    container = aws.container(secrets=[{"name": "S", "valueFrom": arn + suffix}])
    task = aws.stopped(aws.run(aws.define(containers=[container])))
    assert task["stopCode"] == "TaskFailedToStart"
    assert reason in task["stoppedReason"]


def test_a_missing_parameter_is_named(aws):
    container = aws.container(secrets=[{"name": "S", "valueFrom": "absent"}])
    task = aws.stopped(aws.run(aws.define(containers=[container])))
    assert task["stoppedReason"].endswith("invalid ssm parameters: absent")


def test_roles_must_be_there_and_trust_ecs_tasks(aws):
    lambdas = aws.new_role("lambdas", "lambda.amazonaws.com")
    for role in (lambdas, lambdas.replace("lambdas", "absent")):
        task = aws.stopped(aws.run(aws.define(taskRoleArn=role)))
        assert task["stopCode"] == "TaskFailedToStart"
        assert task["stoppedReason"].startswith(f"ECS was unable to assume the role '{role}'")


def test_a_container_waits_for_those_it_depends_on(aws):
    containers = [
        aws.container(
            name="app",
            command=("print", "after"),
            dependsOn=[{"containerName": "before", "condition": "SUCCESS"}],
        ),
        aws.container(name="before", command=("print", "first"), essential=False),
    ]
    task = aws.stopped(aws.run(aws.define(containers=containers)))
    assert [one["exitCode"] for one in task["containers"]] == [0, 0]
    containers[1]["command"] = ["exit", "4"]
    task = aws.stopped(aws.run(aws.define(containers=containers)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert "exited with 4, expected 0" in task["containers"][0]["reason"]
