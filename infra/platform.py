"""The platform layer: what rarely changes. Network, database, cluster, image repository, load balancer, roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra import containers
from infra.cluster import Cluster, ClusterArgs
from infra.color import ColorStack, ColorStackArgs
from infra.database import DATABASE_PORT, Database, DatabaseArgs
from infra.firewall import Firewall, FirewallArgs
from infra.load_balancer import LoadBalancer, LoadBalancerArgs
from infra.naming import COLORS, Color
from infra.network import Network, NetworkArgs
from infra.registry import Registry, RegistryArgs
from infra.roles import Roles, RolesArgs
from infra.setting_rules import DOCKERFILE, REDIRECT_PORT
from infra.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The components that a service stands on, and the color stacks that its parts go into."""

    network: Network
    firewall: Firewall
    database: Database
    cluster: Cluster
    registry: Registry
    roles: Roles
    colors: Mapping[Color, ColorStack]
    load_balancer: LoadBalancer

    @property
    def target_group_arns(self) -> dict[str, pulumi.Output[str]]:
        """Each color's target group."""
        return {color: stack.target_group_arn for color, stack in self.colors.items()}

    @property
    def ready(self) -> list[pulumi.Resource]:
        """What a task needs to start and to reach the database, beyond its task definition."""
        return [self.network, self.firewall, self.roles]


def platform(settings: Settings, prefix: str, tree_version: str, opts: pulumi.ResourceOptions) -> Platform:
    """Make the platform's components. `tree_version` is the version of what the build context holds now."""
    network = Network("network", _network(settings), opts)
    firewall = Firewall("firewall", _firewall(settings, network), opts)
    database = Database("database", _database(settings, prefix, network, firewall), opts)
    cluster = Cluster("cluster", ClusterArgs(prefix=prefix, log_retention_days=settings.log_retention_days), opts)
    registry = Registry("registry", _registry(settings, prefix, tree_version), opts)
    colors: dict[Color, ColorStack] = {
        color: ColorStack(color, _color(settings, prefix, network, color), opts) for color in COLORS
    }
    groups: dict[str, pulumi.Output[str]] = {color: stack.target_group_arn for color, stack in colors.items()}
    return Platform(
        network=network,
        firewall=firewall,
        database=database,
        cluster=cluster,
        registry=registry,
        roles=Roles("roles", _roles(prefix, database, cluster, registry), opts),
        colors=colors,
        load_balancer=LoadBalancer("traffic", _load_balancer(settings, prefix, network, firewall, groups), opts),
    )


def _network(settings: Settings) -> NetworkArgs:
    network = settings.network
    return NetworkArgs(
        region=settings.region,
        cidr=network.cidr,
        zones=network.zones,
        nat_gateway=network.nat_gateway,
        vpc_endpoints=network.vpc_endpoints,
        public_tasks=network.public_tasks,
    )


def _firewall(settings: Settings, network: Network) -> FirewallArgs:
    listener = settings.listener
    redirect = () if listener.certificate_arn is None else (REDIRECT_PORT,)
    return FirewallArgs(
        vpc_id=network.vpc.id,
        production_ports=(listener.port, *redirect),
        test_port=listener.test_port,
        task_port=containers.PORT,
        database_port=DATABASE_PORT,
        internal=listener.internal,
        allowed_cidrs=listener.allowed_cidrs,
        test_allowed_cidrs=listener.test_allowed_cidrs,
        nat_address=network.nat_address,
    )


def _database(settings: Settings, prefix: str, network: Network, firewall: Firewall) -> DatabaseArgs:
    database = settings.database
    return DatabaseArgs(
        prefix=prefix,
        subnet_ids=network.subnet_ids("isolated"),
        security_group_id=firewall.database.id,
        instance_class=database.instance_class,
        version=database.version,
        storage_gib=database.storage_gib,
        multi_az=database.multi_az,
        backup_days=database.backup_days,
        require_tls=database.ssl_mode != "disable",
        protect=settings.protect,
    )


def _registry(settings: Settings, prefix: str, tree_version: str) -> RegistryArgs:
    return RegistryArgs(
        prefix=prefix,
        context=settings.release.context,
        dockerfile=DOCKERFILE,
        architecture=settings.service.architecture,
        tree_version=tree_version,
        build=settings.release.version in (None, tree_version),
        protect=settings.protect,
    )


def _color(settings: Settings, prefix: str, network: Network, color: Color) -> ColorStackArgs:
    return ColorStackArgs(
        prefix=prefix,
        color=color,
        vpc_id=network.vpc.id,
        deregistration_delay=settings.service.deregistration_delay,
        health_interval=settings.service.health_interval,
    )


def _roles(prefix: str, database: Database, cluster: Cluster, registry: Registry) -> RolesArgs:
    return RolesArgs(
        prefix=prefix,
        account_id=registry.account_id,
        repository_arn=registry.repository_arn,
        app_log_group_arn=cluster.app_logs.arn,
        migrate_log_group_arn=cluster.migrate_logs.arn,
        app_secret_arn=database.app_secret_arn,
        owner_secret_arn=database.owner_secret_arn,
    )


def _load_balancer(
    settings: Settings,
    prefix: str,
    network: Network,
    firewall: Firewall,
    target_group_arns: Mapping[str, pulumi.Input[str]],
) -> LoadBalancerArgs:
    listener = settings.listener
    return LoadBalancerArgs(
        prefix=prefix,
        subnet_ids=network.subnet_ids("private" if listener.internal else "public"),
        security_group_id=firewall.load_balancer.id,
        target_group_arns=target_group_arns,
        port=listener.port,
        test_port=listener.test_port,
        redirect_port=REDIRECT_PORT,
        certificate_arn=listener.certificate_arn,
        host_name=listener.host_name,
        internal=listener.internal,
        protect=settings.protect,
    )
