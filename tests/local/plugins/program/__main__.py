"""Every type of the plugin's table, once."""

import pulumi
import pulumi_aws as aws
from networks import network, throw_away
from services import balancing, containers
from stores import database, observing, security

vpc_, subnets_, firewall_ = network()
throw_away()
database(subnets_)
role_ = security()
containers(role_, balancing(vpc_, subnets_), subnets_, firewall_)
observing()
pulumi.export("account", aws.get_caller_identity().account_id)
pulumi.export("region", aws.get_region().region)
pulumi.export("zones", aws.get_availability_zones(state="available").names)
pulumi.export("user", aws.ecr.get_authorization_token().user_name)
