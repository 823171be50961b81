"""The VPC, its subnets and gateways (service EC2)."""

from local.plugins.aws.model import Call, Look, Type, Wait, fixed, plain
from local.plugins.aws.types import tagging

VPC = Type(
    kind="aws:ec2/vpc:Vpc",
    service="ec2",
    properties={
        "cidrBlock": fixed("CidrBlock"),
        "instanceTenancy": fixed("InstanceTenancy", default="default"),
        "enableDnsSupport": plain("EnableDnsSupport.Value", default=True),
        "enableDnsHostnames": plain("EnableDnsHostnames.Value", default=False),
    },
    outputs={
        "ownerId": "OwnerId",
        "dhcpOptionsId": "DhcpOptionsId",
        "defaultSecurityGroupId": "",
        "defaultNetworkAclId": "",
        "mainRouteTableId": "",
        "defaultRouteTableId": "",
    },
    derived={"arn": "arn:{partition}:ec2:{region}:{ownerId}:vpc/{id}"},
    id="Vpc.VpcId",
    create=Call(operation="create_vpc", sends="cidrBlock instanceTenancy"),
    created=Wait(path="State", until=("available",)),
    read=Look(operation="describe_vpcs", params={"VpcIds": ["{id}"]}, path="Vpcs[0]"),
    looks=(
        Look(
            operation="describe_vpc_attribute",
            params={"VpcId": "{id}", "Attribute": "enableDnsSupport"},
            gives={"enableDnsSupport": "EnableDnsSupport.Value"},
        ),
        Look(
            operation="describe_vpc_attribute",
            params={"VpcId": "{id}", "Attribute": "enableDnsHostnames"},
            gives={"enableDnsHostnames": "EnableDnsHostnames.Value"},
        ),
        Look(
            operation="describe_security_groups",
            params={"Filters": [{"Name": "vpc-id", "Values": ["{id}"]}, {"Name": "group-name", "Values": ["default"]}]},
            gives={"defaultSecurityGroupId": "SecurityGroups[0].GroupId"},
        ),
        Look(
            operation="describe_route_tables",
            params={
                "Filters": [{"Name": "vpc-id", "Values": ["{id}"]}, {"Name": "association.main", "Values": ["true"]}]
            },
            gives={
                "mainRouteTableId": "RouteTables[0].RouteTableId",
                "defaultRouteTableId": "RouteTables[0].RouteTableId",
            },
        ),
        Look(
            operation="describe_network_acls",
            params={"Filters": [{"Name": "vpc-id", "Values": ["{id}"]}, {"Name": "default", "Values": ["true"]}]},
            gives={"defaultNetworkAclId": "NetworkAcls[0].NetworkAclId"},
        ),
    ),
    # AWS takes one attribute a call, and names only with support.
    update=(
        Call(operation="modify_vpc_attribute", sends="enableDnsSupport", params={"VpcId": "{id}"}),
        Call(operation="modify_vpc_attribute", sends="enableDnsHostnames", params={"VpcId": "{id}"}),
    ),
    delete=(Call(operation="delete_vpc", params={"VpcId": "{id}"}),),
    gone=("InvalidVpcID.NotFound",),
    tags=tagging.ec2("vpc"),
)

SUBNET = Type(
    kind="aws:ec2/subnet:Subnet",
    service="ec2",
    properties={
        "vpcId": fixed("VpcId"),
        "cidrBlock": fixed("CidrBlock"),
        "availabilityZone": fixed("AvailabilityZone", computed=True),
        "availabilityZoneId": fixed("AvailabilityZoneId", computed=True),
        "mapPublicIpOnLaunch": plain("MapPublicIpOnLaunch.Value", read="MapPublicIpOnLaunch", default=False),
        "assignIpv6AddressOnCreation": plain(
            "AssignIpv6AddressOnCreation.Value", read="AssignIpv6AddressOnCreation", default=False
        ),
    },
    outputs={"arn": "SubnetArn", "ownerId": "OwnerId"},
    id="Subnet.SubnetId",
    create=Call(operation="create_subnet", sends="vpcId cidrBlock availabilityZone availabilityZoneId"),
    created=Wait(path="State", until=("available",)),
    read=Look(operation="describe_subnets", params={"SubnetIds": ["{id}"]}, path="Subnets[0]"),
    update=(
        Call(operation="modify_subnet_attribute", sends="mapPublicIpOnLaunch", params={"SubnetId": "{id}"}),
        Call(operation="modify_subnet_attribute", sends="assignIpv6AddressOnCreation", params={"SubnetId": "{id}"}),
    ),
    delete=(Call(operation="delete_subnet", params={"SubnetId": "{id}"}),),
    gone=("InvalidSubnetID.NotFound",),
    # The ranges of two subnets may not overlap, so a replacement in the same range waits for the old one's end.
    unique=("vpcId", "cidrBlock"),
    tags=tagging.ec2("subnet"),
)

INTERNET_GATEWAY = Type(
    kind="aws:ec2/internetGateway:InternetGateway",
    service="ec2",
    properties={"vpcId": plain("VpcId", read="Attachments[0].VpcId", absent=None)},
    outputs={"ownerId": "OwnerId"},
    derived={"arn": "arn:{partition}:ec2:{region}:{ownerId}:internet-gateway/{id}"},
    id="InternetGateway.InternetGatewayId",
    create=Call(operation="create_internet_gateway"),
    read=Look(
        operation="describe_internet_gateways", params={"InternetGatewayIds": ["{id}"]}, path="InternetGateways[0]"
    ),
    update=(
        Call(
            operation="detach_internet_gateway",
            params={"InternetGatewayId": "{id}", "VpcId": "{old.vpcId}"},
            when="{old.vpcId}",
        ),
        Call(
            operation="attach_internet_gateway",
            params={"InternetGatewayId": "{id}", "VpcId": "{vpcId}"},
            when="{vpcId}",
        ),
    ),
    delete=(
        Call(
            operation="detach_internet_gateway",
            params={"InternetGatewayId": "{id}", "VpcId": "{vpcId}"},
            when="{vpcId}",
        ),
        Call(operation="delete_internet_gateway", params={"InternetGatewayId": "{id}"}),
    ),
    gone=("InvalidInternetGatewayID.NotFound", "Gateway.NotAttached"),
    tags=tagging.ec2("internet-gateway"),
)

EIP = Type(
    kind="aws:ec2/eip:Eip",
    service="ec2",
    properties={"domain": fixed("Domain", computed=True)},
    outputs={
        "allocationId": "AllocationId",
        "associationId": "AssociationId",
        "publicIp": "PublicIp",
        "privateIp": "PrivateIpAddress",
        "networkInterface": "NetworkInterfaceId",
    },
    derived={"arn": "arn:{partition}:ec2:{region}:{account}:elastic-ip/{id}"},
    id="AllocationId",
    create=Call(operation="allocate_address", sends="domain"),
    read=Look(operation="describe_addresses", params={"AllocationIds": ["{id}"]}, path="Addresses[0]"),
    delete=(Call(operation="release_address", params={"AllocationId": "{id}"}),),
    gone=("InvalidAllocationID.NotFound",),
    tags=tagging.ec2("elastic-ip"),
)

NAT_GATEWAY = Type(
    kind="aws:ec2/natGateway:NatGateway",
    service="ec2",
    properties={
        "allocationId": fixed("AllocationId", read="NatGatewayAddresses[0].AllocationId"),
        "subnetId": fixed("SubnetId"),
        "connectivityType": fixed("ConnectivityType", default="public"),
    },
    outputs={
        "publicIp": "NatGatewayAddresses[0].PublicIp",
        "privateIp": "NatGatewayAddresses[0].PrivateIp",
        "networkInterfaceId": "NatGatewayAddresses[0].NetworkInterfaceId",
    },
    id="NatGateway.NatGatewayId",
    create=Call(operation="create_nat_gateway", sends="allocationId subnetId connectivityType"),
    created=Wait(path="State", until=("available",), failed=("failed",)),
    read=Look(operation="describe_nat_gateways", params={"NatGatewayIds": ["{id}"]}, path="NatGateways[0]"),
    delete=(Call(operation="delete_nat_gateway", params={"NatGatewayId": "{id}"}),),
    deleted=Wait(path="State", until=(), failed=("failed",)),
    gone=("NatGatewayNotFound",),
    gone_when=("State", ("deleted",)),
    # An address serves one gateway at a time.
    unique=("allocationId",),
    tags=tagging.ec2("natgateway"),
)

TYPES = (VPC, SUBNET, INTERNET_GATEWAY, EIP, NAT_GATEWAY)
