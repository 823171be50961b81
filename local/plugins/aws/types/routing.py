"""Route tables, routes and endpoints (service EC2)."""

from local.plugins.aws.blocks import Blocks, pascal
from local.plugins.aws.codec import JSON, SET
from local.plugins.aws.model import Call, Look, Type, Wait, fixed, local, plain
from local.plugins.aws.types import tagging

ROUTE_TABLE = Type(
    kind="aws:ec2/routeTable:RouteTable",
    service="ec2",
    properties={"vpcId": fixed("VpcId")},
    outputs={"ownerId": "OwnerId"},
    derived={"arn": "arn:{partition}:ec2:{region}:{ownerId}:route-table/{id}"},
    id="RouteTable.RouteTableId",
    create=Call(operation="create_route_table", sends="vpcId"),
    read=Look(operation="describe_route_tables", params={"RouteTableIds": ["{id}"]}, path="RouteTables[0]"),
    delete=(Call(operation="delete_route_table", params={"RouteTableId": "{id}"}),),
    gone=("InvalidRouteTableID.NotFound",),
    tags=tagging.ec2("route-table"),
)

_TARGETS = "gatewayId natGatewayId transitGatewayId vpcEndpointId networkInterfaceId egressOnlyGatewayId"

ROUTE = Type(
    kind="aws:ec2/route:Route",
    service="ec2",
    properties={
        "routeTableId": fixed("RouteTableId", read=""),
        "destinationCidrBlock": fixed("DestinationCidrBlock"),
        "gatewayId": plain("GatewayId", absent=None),
        "natGatewayId": plain("NatGatewayId", absent=None),
        "transitGatewayId": plain("TransitGatewayId", absent=None),
        "vpcEndpointId": plain("VpcEndpointId", read="", absent=None),
        "networkInterfaceId": plain("NetworkInterfaceId", absent=None),
        "egressOnlyGatewayId": plain("EgressOnlyInternetGatewayId", read="EgressOnlyInternetGatewayId", absent=None),
    },
    outputs={"state": "State", "origin": "Origin"},
    id="r-{routeTableId}-{destinationCidrBlock}",
    create=Call(operation="create_route", sends=f"routeTableId destinationCidrBlock {_TARGETS}"),
    read=Look(
        operation="describe_route_tables",
        params={"RouteTableIds": ["{routeTableId}"]},
        path="RouteTables[0].Routes[?DestinationCidrBlock=='{destinationCidrBlock}'] | [0]",
    ),
    update=(
        Call(
            operation="replace_route",
            sends=_TARGETS,
            params={"RouteTableId": "{routeTableId}", "DestinationCidrBlock": "{destinationCidrBlock}"},
            whole=True,
        ),
    ),
    delete=(
        Call(
            operation="delete_route",
            params={"RouteTableId": "{routeTableId}", "DestinationCidrBlock": "{destinationCidrBlock}"},
        ),
    ),
    gone=("InvalidRouteTableID.NotFound", "InvalidRoute.NotFound"),
    unique=("routeTableId", "destinationCidrBlock"),
)

ROUTE_TABLE_ASSOCIATION = Type(
    kind="aws:ec2/routeTableAssociation:RouteTableAssociation",
    service="ec2",
    properties={
        "routeTableId": fixed("RouteTableId"),
        "subnetId": fixed("SubnetId"),
        "gatewayId": fixed("GatewayId"),
    },
    id="AssociationId",
    create=Call(operation="associate_route_table", sends="routeTableId subnetId gatewayId"),
    read=Look(
        operation="describe_route_tables",
        params={"Filters": [{"Name": "association.route-table-association-id", "Values": ["{id}"]}]},
        path="RouteTables[].Associations[] | [?RouteTableAssociationId=='{id}'] | [0]",
    ),
    delete=(Call(operation="disassociate_route_table", params={"AssociationId": "{id}"}),),
    gone=("InvalidAssociationID.NotFound", "InvalidRouteTableID.NotFound"),
    unique=("subnetId", "gatewayId"),
)

VPC_ENDPOINT = Type(
    kind="aws:ec2/vpcEndpoint:VpcEndpoint",
    service="ec2",
    properties={
        "vpcId": fixed("VpcId"),
        "serviceName": fixed("ServiceName"),
        "vpcEndpointType": fixed("VpcEndpointType", default="Gateway"),
        "policy": plain("PolicyDocument", JSON, computed=True),
        "privateDnsEnabled": plain("PrivateDnsEnabled", computed=True),
        "routeTableIds": plain("RouteTableIds", SET, computed=True),
        "subnetIds": plain("SubnetIds", SET, computed=True),
        "securityGroupIds": plain("SecurityGroupIds", SET, read="Groups[].GroupId", computed=True),
        "ipAddressType": plain("IpAddressType", computed=True),
        "autoAccept": local(),
    },
    outputs={
        "ownerId": "OwnerId",
        "state": "State",
        "networkInterfaceIds": "NetworkInterfaceIds",
        "requesterManaged": "RequesterManaged",
        "dnsEntries": ("DnsEntries", Blocks(pascal("dnsName hostedZoneId"))),
    },
    derived={"arn": "arn:{partition}:ec2:{region}:{ownerId|account}:vpc-endpoint/{id}"},
    id="VpcEndpoint.VpcEndpointId",
    create=Call(
        operation="create_vpc_endpoint",
        sends="vpcId serviceName vpcEndpointType policy privateDnsEnabled routeTableIds subnetIds securityGroupIds"
        " ipAddressType",
    ),
    created=Wait(path="State", until=("available", "Available"), failed=("failed", "rejected")),
    read=Look(operation="describe_vpc_endpoints", params={"VpcEndpointIds": ["{id}"]}, path="VpcEndpoints[0]"),
    update=(
        Call(
            operation="modify_vpc_endpoint",
            sends="policy privateDnsEnabled ipAddressType",
            params={
                "VpcEndpointId": "{id}",
                "AddRouteTableIds": "{+routeTableIds}",
                "RemoveRouteTableIds": "{-routeTableIds}",
                "AddSubnetIds": "{+subnetIds}",
                "RemoveSubnetIds": "{-subnetIds}",
                "AddSecurityGroupIds": "{+securityGroupIds}",
                "RemoveSecurityGroupIds": "{-securityGroupIds}",
            },
        ),
    ),
    delete=(Call(operation="delete_vpc_endpoints", params={"VpcEndpointIds": ["{id}"]}),),
    deleted=Wait(path="State", until=()),
    gone=("InvalidVpcEndpointId.NotFound",),
    gone_when=("State", ("deleted",)),
    tags=tagging.ec2("vpc-endpoint"),
)

TYPES = (ROUTE_TABLE, ROUTE, ROUTE_TABLE_ASSOCIATION, VPC_ENDPOINT)
