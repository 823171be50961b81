"""Functions that a program calls while it is planned."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from local.plugins.aws.client import Clients
from provider.rpc.messages import Fail

Function = Callable[[Clients, Mapping[str, Any]], dict[str, Any]]


def _region(clients: Clients, args: Mapping[str, Any]) -> dict[str, Any]:
    name = args.get("region") or clients.region
    return {"id": name, "name": name, "region": name, "description": name, "endpoint": f"ec2.{name}.amazonaws.com"}


def _caller(clients: Clients, _: Mapping[str, Any]) -> dict[str, Any]:
    found = clients.call("sts", "get_caller_identity")
    return {"id": found["Account"], "accountId": found["Account"], "arn": found["Arn"], "userId": found["UserId"]}


def _zones(clients: Clients, args: Mapping[str, Any]) -> dict[str, Any]:
    region = args.get("region") or clients.region
    filters = [{"Name": one["name"], "Values": one["values"]} for one in args.get("filters") or []]
    if args.get("state"):
        filters.append({"Name": "state", "Values": [args["state"]]})
    asked = {"Filters": filters} if filters else {}
    found = clients.call("ec2", "describe_availability_zones", region, **asked)["AvailabilityZones"]
    left_out = {*(args.get("excludeNames") or []), *(args.get("excludeZoneIds") or [])}
    kept = sorted(
        (zone for zone in found if not left_out & {zone["ZoneName"], zone["ZoneId"]}), key=lambda zone: zone["ZoneName"]
    )
    return {
        **args,
        "id": region,
        "region": region,
        "names": [zone["ZoneName"] for zone in kept],
        "zoneIds": [zone["ZoneId"] for zone in kept],
        "groupNames": sorted({zone.get("GroupName") or region for zone in kept}),
    }


def _registry_token(clients: Clients, args: Mapping[str, Any]) -> dict[str, Any]:
    region = args.get("region") or clients.region
    (found,) = clients.call("ecr", "get_authorization_token", region)["authorizationData"][:1]
    user, _, password = base64.b64decode(found["authorizationToken"]).decode().partition(":")
    return {
        **args,
        "id": region,
        "region": region,
        "authorizationToken": found["authorizationToken"],
        "userName": user,
        "password": password,
        "proxyEndpoint": found["proxyEndpoint"],
        "expiresAt": found["expiresAt"].isoformat(),
    }


_PASSWORD = {
    "passwordLength": "PasswordLength",
    "excludeCharacters": "ExcludeCharacters",
    "excludeLowercase": "ExcludeLowercase",
    "excludeNumbers": "ExcludeNumbers",
    "excludePunctuation": "ExcludePunctuation",
    "excludeUppercase": "ExcludeUppercase",
    "includeSpace": "IncludeSpace",
    "requireEachIncludedType": "RequireEachIncludedType",
}


def _random_password(clients: Clients, args: Mapping[str, Any]) -> dict[str, Any]:
    region = args.get("region") or clients.region
    asked = {api: args[wire] for wire, api in _PASSWORD.items() if args.get(wire) is not None}
    password = clients.call("secretsmanager", "get_random_password", region, **asked)["RandomPassword"]
    return {**args, "id": region, "region": region, "randomPassword": password}


def _image(clients: Clients, args: Mapping[str, Any]) -> dict[str, Any]:
    region, repository = args.get("region") or clients.region, args["repositoryName"]
    chosen = {"imageTag": args.get("imageTag"), "imageDigest": args.get("imageDigest")}
    chosen = {key: value for key, value in chosen.items() if value}
    where: dict[str, Any] = {"repositoryName": repository}
    found = clients.call("ecr", "describe_images", region, **where, **({"imageIds": [chosen]} if chosen else {}))[
        "imageDetails"
    ]
    if not found:
        raise Fail(f"no image in the repository {repository}")
    newest = max(found, key=lambda image: image["imagePushedAt"])
    url = clients.call("ecr", "describe_repositories", region, repositoryNames=[repository])["repositories"][0]
    return {
        **args,
        "id": newest["imageDigest"],
        "region": region,
        "imageDigest": newest["imageDigest"],
        "imagePushedAt": int(newest["imagePushedAt"].timestamp()),
        "imageSizeInBytes": newest.get("imageSizeInBytes", 0),
        "imageTags": newest.get("imageTags", []),
        "imageUri": f"{url['repositoryUri']}@{newest['imageDigest']}",
        "registryId": newest["registryId"],
    }


FUNCTIONS: Mapping[str, Function] = {
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": _registry_token,
    "aws:ecr/getImage:getImage": _image,
    "aws:secretsmanager/getRandomPassword:getRandomPassword": _random_password,
}
"""Token to function."""
