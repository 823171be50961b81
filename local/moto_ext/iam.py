"""IAM: AWS's own policies by name, and an answer in place of an error for roles of services."""

from __future__ import annotations

import json
import re
from typing import Any

from moto.iam.access_control import IAMPolicyStatement
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy
from moto.iam.responses import IamResponse

AWS_POLICY = re.compile(r"arn:aws:iam::aws:policy/(?:.*/)?([\w+=,.@-]+)")
# What is asked with the ARN of a policy.
BY_ARN = (
    *("attach_role_policy", "attach_user_policy", "attach_group_policy", "list_entities_for_policy"),
    *("get_policy", "get_policy_version", "list_policy_versions"),
)


def managed_policies() -> None:
    """moto knows either none of AWS's managed policies or, for 60 MB and a second, all of them; here one that is asked
    for. ListPolicies shows only those that were."""
    for name in BY_ARN:
        _knowing(name)


def _knowing(name: str) -> None:
    original = getattr(IamResponse, name)

    def answer(response: Any) -> Any:
        _load(response.backend, response._get_param("PolicyArn") or "")
        return original(response)

    setattr(IamResponse, name, answer)


def _load(backend: Any, arn: str) -> None:
    match = AWS_POLICY.fullmatch(arn)
    if match is None or arn in backend.managed_policies:
        return
    # The text is 5 MB of JSON, one policy after the other at the first level: only this one is parsed.
    begin = aws_managed_policies_data.find(f'\n "{match[1]}":{{')
    if begin < 0:
        return
    text = aws_managed_policies_data[begin : aws_managed_policies_data.index("\n }", begin) + 3]
    data = json.loads(text.split(":", 1)[1])
    policy = AWSManagedPolicy.from_data(match[1], backend.account_id, backend.region_name, data)
    if policy.arn == arn:
        backend.managed_policies[arn] = policy
        backend.aws_managed_policies.append(policy)


def service_principals() -> None:
    """moto fails with status 500 in AssumeRole when the role trusts a service and not an account."""

    def check(statement: Any, principal: str) -> bool:
        trusted = statement._statement.get("Principal")
        if not trusted or trusted == "*":
            return True
        accounts = trusted.get("AWS") or []
        accounts = [accounts] if isinstance(accounts, str) else accounts
        return "*" in accounts or principal in accounts

    IAMPolicyStatement._check_principal = check


PATCHES = (managed_policies, service_principals)
