"""The rest of Envoy's configuration: bootstrap, clusters, endpoints and listeners, as an ALB would behave.

Health is not Envoy's business here: the registry decides and says so by endpoint status, which also makes fail-open
exact (an ALB sends requests to all targets when none is healthy, but never to one that drains).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from local.contracts import TargetHealth
from local.elb.model import Balancer, Group, Listener
from local.elb.routes import PROBE_HEADER, SESSION_FILTER, SOURCE_HEADER, TYPE

Json = dict[str, Any]

HTTP_MANAGER = f"{TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
CONNECT_TIMEOUT = "10s"  # what an ALB waits for a connection to a target
LIMIT = 65_536  # an ALB has no circuit breaker of its own

# One line a request, tab separated; local.elb.accesslog reads it.
LOG_FORMAT = (
    "%START_TIME(%s.%3f)%\t{listener}\t%UPSTREAM_CLUSTER_RAW%\t%RESPONSE_CODE%\t%RESPONSE_CODE_DETAILS%\t"
    "%RESPONSE_FLAGS%\t%COMMON_DURATION(US_TX_END:US_RX_BEG:us)%\t%DURATION%\t%UPSTREAM_HOST%\t"
    "%REQ(:METHOD)%\t%REQ(:PATH)%\t%ROUTE_NAME%\n"
)

# Status of an ALB for what Envoy answers by itself, by response flag.
LOCAL_ANSWERS = (
    (502, "Bad Gateway", ["UF", "UC", "UR", "UPE", "LR"]),
    (503, "Service Temporarily Unavailable", ["UH", "UO", "NR", "NC"]),
    (504, "Gateway Time-out", ["UT", "SI"]),
)

# X-Amzn-Trace-Id: an ALB adds Root when there is none, and Self to one that has a Root already.
TRACE_SCRIPT = """
local function id()
  return string.format("1-%08x-%08x%08x%08x", os.time(), math.random(0, 0xffffffff), math.random(0, 0xffffffff),
    math.random(0, 0xffffffff))
end
function envoy_on_request(handle)
  local headers = handle:headers()
  local found = headers:get("x-amzn-trace-id")
  if found and string.find(found, "Root=", 1, true) then
    headers:replace("x-amzn-trace-id", "Self=" .. id() .. ";" .. found)
  else
    headers:replace("x-amzn-trace-id", "Root=" .. id())
  end
end
"""


def watched(folder: Path, name: str) -> Json:
    """Where Envoy reads a kind of resource: a file that is replaced by renaming another one over it."""
    return {
        "path_config_source": {"path": str(folder / f"{name}.json"), "watched_directory": {"path": str(folder)}},
        "resource_api_version": "V3",
    }


def bootstrap(folder: Path, admin: Path) -> Json:
    """What Envoy is started with. The admin interface is a socket that only this user may open."""
    return {
        "node": {"id": "load-balancer", "cluster": "embedded"},
        "admin": {"address": {"pipe": {"path": str(admin), "mode": 0o600}}},
        "dynamic_resources": {"lds_config": watched(folder, "lds"), "cds_config": watched(folder, "cds")},
        "layered_runtime": {"layers": [{"name": "static", "static_layer": {}}]},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{TYPE}extensions.resource_monitors.downstream_connections.v3."
                        "DownstreamConnectionsConfig",
                        "max_active_downstream_connections": LIMIT,
                    },
                }
            ]
        },
        "stats_flush_interval": "60s",  # there is no sink: the access log is the source of the metrics
    }


def cluster(group: Group, folder: Path, idle_seconds: int) -> Json:
    """The cluster of a target group."""
    return {
        "@type": f"{TYPE}config.cluster.v3.Cluster",
        "name": group.name,
        "type": "EDS",
        "connect_timeout": CONNECT_TIMEOUT,
        "lb_policy": "ROUND_ROBIN",
        "eds_cluster_config": {"eds_config": watched(folder, f"eds-{group.name}")},
        "ignore_health_on_host_removal": True,
        # Threshold 0: fail-open is done by endpoint status. Merge window 0: the workers must not lag behind.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": LIMIT, "max_pending_requests": LIMIT, "max_requests": LIMIT, "max_retries": 0}
            ]
        },
        "track_cluster_stats": {"timeout_budgets": False, "request_response_sizes": False},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPE}extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": f"{idle_seconds}s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def endpoints(group: Group, members: Mapping[tuple[str, int], TargetHealth]) -> Json:
    """The targets of a group. With none healthy every one that does not drain serves: fail-open."""
    fail_open = not any(health.state == "healthy" for health in members.values())

    def status(health: TargetHealth) -> str:
        if health.state == "draining":
            return "DRAINING"
        return "HEALTHY" if fail_open or health.state == "healthy" else "UNHEALTHY"

    hosts = [
        {
            "health_status": status(health),
            "endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}},
        }
        for (address, port), health in sorted(members.items())
    ]
    return {
        "@type": f"{TYPE}config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": group.name,
        "endpoints": [{"lb_endpoints": hosts}],
    }


def listener(balancer: Balancer, entry: Listener, folder: Path, log: Path) -> Json:
    """One listener of a load balancer, on the load balancer's address."""
    chain: Json = {"filters": [{"name": "http", "typed_config": _manager(balancer, entry, folder, log)}]}
    if entry.certificate:
        chain["transport_socket"] = _tls(entry)
    return {
        "@type": f"{TYPE}config.listener.v3.Listener",
        "name": entry.name,
        "address": {"socket_address": {"address": balancer.address, "port_value": entry.port}},
        "enable_reuse_port": False,  # else a port that another process has would be shared in silence
        "filter_chains": [chain],
    }


def _tls(entry: Listener) -> Json:
    certificate = entry.certificate
    if certificate is None:
        raise ValueError(f"listener {entry.arn} has no certificate")
    pair = {
        "certificate_chain": {"inline_string": certificate.chain},
        "private_key": {"inline_string": certificate.key},
    }
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [pair], "alpn_protocols": ["h2", "http/1.1"]},
        },
    }


def _manager(balancer: Balancer, entry: Listener, folder: Path, log: Path) -> Json:
    idle = f"{balancer.idle_seconds}s"
    keep_alive = balancer.attributes.get("client_keep_alive.seconds", "3600")
    mode = balancer.attributes.get("routing.http.xff_header_processing.mode", "append")
    return {
        "@type": HTTP_MANAGER,
        "stat_prefix": entry.name,
        "codec_type": "AUTO" if entry.certificate else "HTTP1",
        "rds": {"route_config_name": entry.name, "config_source": watched(folder, f"rds-{entry.name}")},
        "use_remote_address": True,
        "skip_xff_append": mode != "append",
        "generate_request_id": False,
        "preserve_external_request_id": True,
        "stream_idle_timeout": idle,  # no answer for so long: 504; no request: 408, as an ALB
        "common_http_protocol_options": {"idle_timeout": idle, "max_connection_duration": f"{keep_alive}s"},
        "http_protocol_options": {"accept_http_10": True},
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "early_header_mutation_extensions": [_early(mode)],
        "http_filters": [_trace(), _sessions(), _router()],
        "local_reply_config": local_replies(),
        "access_log": [_access_log(entry, log)],
    }


def _early(mode: str) -> Json:
    """Headers set before routing: the client's address for source-ip conditions, which no client may set itself."""
    source = {
        "append": {
            "header": {"key": SOURCE_HEADER, "value": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
    }
    removed = [{"remove": "x-forwarded-for"}] if mode == "remove" else []
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": f"{TYPE}extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [source, *removed],
        },
    }


def _trace() -> Json:
    return {
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": f"{TYPE}extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": TRACE_SCRIPT},
        },
    }


def _sessions() -> Json:
    """Does nothing by itself; the routes switch it on for target groups with stickiness of their own."""
    return {
        "name": SESSION_FILTER,
        "typed_config": {"@type": f"{TYPE}extensions.filters.http.stateful_session.v3.StatefulSession"},
    }


def _router() -> Json:
    return {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{TYPE}extensions.filters.http.router.v3.Router", "suppress_envoy_headers": True},
    }


def local_replies() -> Json:
    """Answers of the load balancer itself: an ALB's status and page, and in `x-lb-reason` why (Envoy's flag)."""
    return {"mappers": [_mapper(*answer) for answer in LOCAL_ANSWERS]}


def _mapper(status: int, phrase: str, flags: Iterable[str]) -> Json:
    page = f"<html><head><title>{status} {phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>\n"
    headers = {"x-lb-reason": "%RESPONSE_FLAGS%", "server": "awselb/2.0"}
    return {
        "filter": {"response_flag_filter": {"flags": list(flags)}},
        "status_code": status,
        "body_format_override": {
            "text_format_source": {"inline_string": page},
            "content_type": "text/html",
        },
        "headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
    }


def _access_log(entry: Listener, log: Path) -> Json:
    return {
        "name": "envoy.access_loggers.file",
        "filter": {"header_filter": {"header": {"name": PROBE_HEADER, "present_match": True, "invert_match": True}}},
        "typed_config": {
            "@type": f"{TYPE}extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(log),
            "log_format": {"text_format_source": {"inline_string": LOG_FORMAT.format(listener=entry.name)}},
        },
    }
