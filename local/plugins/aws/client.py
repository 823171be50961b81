"""Clients of the embedded AWS, made when first used; and AWS's refusals as one sentence."""

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from local.plugins.aws.validate import loader
from provider.rpc.messages import Fail

# Throttled calls are tried again by botocore, with its backoff and jitter.
ATTEMPTS = 8
BROKEN = "the embedded AWS does not know this call or failed on it; its log says more (`python -m local logs`)"


class Refused(Fail):
    """AWS answered a call with an error.

    Attributes:
        code: AWS's error code.
    """

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(f"{operation}: {code}: {' '.join(message.split())}")
        self.code = code


def _refused(error: Any) -> Refused:
    found = error.response.get("Error", {})
    code, message = str(found.get("Code", "?")), str(found.get("Message", ""))
    # What moto cannot answer, or fails on, comes as a web page.
    page = code.isdigit() and message.lstrip().startswith("<")
    return Refused(error.operation_name, code, BROKEN if page else message)


class Clients:
    """The clients of one provider instance.

    Args:
        region: the provider's; a resource may name another.
        endpoints: service name to address, from the provider's configuration; AWS_ENDPOINT_URL counts for all others.
        credentials: `profile`, and keyword arguments of botocore's `create_client`.
        allowed_accounts, forbidden_accounts: ids; before the first call the account is compared with them.
    """

    def __init__(
        self,
        region: str = "",
        endpoints: Mapping[str, str] | None = None,
        credentials: Mapping[str, str] | None = None,
        allowed_accounts: Sequence[str] = (),
        forbidden_accounts: Sequence[str] = (),
    ) -> None:
        self.region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
        self.endpoints = dict(endpoints or {})
        self.credentials = dict(credentials or {})
        self.allowed_accounts = tuple(allowed_accounts)
        self.forbidden_accounts = tuple(forbidden_accounts)
        self._lock = threading.RLock()
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._account = ""

    def endpoint(self, service: str) -> str:
        """The address for a service.

        Raises:
            Fail: none is configured. The plugin never falls back to real AWS, and it refuses an address of it.
        """
        found = self.endpoints.get(service) or os.environ.get("AWS_ENDPOINT_URL", "")
        if not found:
            raise Fail(
                "AWS_ENDPOINT_URL is not set: this aws plugin stands for the embedded AWS only. "
                'Run `make local`, then `eval "$(python -m local env)"`'
            )
        if (urlsplit(found).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
            raise Fail(f"the endpoint {found} is AWS itself: this aws plugin stands for the embedded AWS only")
        return found

    def call(self, service: str, operation: str, region: str = "", /, **params: Any) -> dict[str, Any]:
        """Call an operation by the name of its method in boto3.

        Raises:
            Refused: AWS answered with an error.
            Fail: no answer, or parameters that botocore refuses.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = getattr(self.client(service, region), operation)(**params)
        except ClientError as error:
            raise _refused(error) from error
        except ResponseParserError as error:
            raise Fail(f"{operation}: {BROKEN}") from error
        except BotoCoreError as error:
            raise Fail(self._sentence(service, operation, error)) from error
        return answer

    def _sentence(self, service: str, operation: str, error: Exception) -> str:
        if type(error).__name__ in ("EndpointConnectionError", "ConnectionClosedError", "ConnectTimeoutError"):
            where = self.endpoint(service)
            return f"{operation}: no answer from the embedded AWS at {where}; see `python -m local status`"
        return f"{operation}: {' '.join(str(error).split())}"

    def client(self, service: str, region: str = "") -> Any:
        """The client of a service, the same one for every thread.

        Raises:
            Fail: no region, no endpoint, or the account is not an allowed one.
        """
        with self._lock:  # making a client is not thread-safe
            key = (service, region or self.region)
            if key not in self._clients:
                self._clients[key] = self._make(*key)
            if service != "sts":
                self._refuse_account()
            return self._clients[key]

    def _refuse_account(self) -> None:
        if self.allowed_accounts and self.account not in self.allowed_accounts:
            raise Fail(
                f"the embedded AWS has the account {self.account}; "
                f"the provider's allowedAccountIds are {', '.join(self.allowed_accounts)}"
            )
        if self.forbidden_accounts and self.account in self.forbidden_accounts:
            raise Fail(f"the embedded AWS has the account {self.account}, which forbiddenAccountIds name")

    def _make(self, service: str, region: str) -> Any:
        endpoint = self.endpoint(service)
        if not region:
            raise Fail("no region: set it on the aws provider (region) or in AWS_REGION")
        from botocore.config import Config  # 0.2 s: only where something is really called
        from botocore.session import Session

        if self._session is None:
            self._session = Session(profile=self.credentials.get("profile"))
            self._session.register_component("data_loader", loader())
        config = Config(
            max_pool_connections=64,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=5,
            parameter_validation=False,  # validate.py has named what is wrong, by its Pulumi name
        )
        keys = {name: value for name, value in self.credentials.items() if name != "profile"}
        return self._session.create_client(service, region_name=region, endpoint_url=endpoint, config=config, **keys)

    @property
    def account(self) -> str:
        """The id of the account, asked for once."""
        with self._lock:
            if not self._account:
                self._account = self.call("sts", "get_caller_identity")["Account"]
            return self._account
