"""Blue-green releases on Amazon ECS in which the database schema moves with the code. Composes; decides nothing."""

from pathlib import Path

import pulumi

from infra import naming, sdk, settings
from infra.platform import platform
from infra.providers import providers
from infra.service import service
from infra.version import content_version

sdk.narrow()
wanted = settings.load(pulumi.Config())
prefix = naming.prefix(wanted.project, wanted.stack)
tree_version = content_version(Path(wanted.release.context))
opts = providers(wanted)

base = platform(wanted, prefix, tree_version, opts)
released = service(wanted, prefix, tree_version, base, opts)

pulumi.export("release", released.summary())
pulumi.export("url", base.load_balancer.url)
pulumi.export("testUrl", base.load_balancer.test_url)
pulumi.export("cluster", base.cluster.cluster_name)
pulumi.export("repository", base.registry.repository.repository_url)
pulumi.export("services", {color: each.service_name for color, each in released.services.items()})
pulumi.export("logGroups", {"app": base.cluster.app_logs.name, "migrate": base.cluster.migrate_logs.name})
