"""The only maker of AWS clients."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vectorops import __version__

if TYPE_CHECKING:
    import boto3
    from botocore.credentials import Credentials as BotoCredentials


@dataclass(frozen=True)
class Credentials:
    """An AWS access key; temporary ones, of a role, have a session token."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass
class Aws:
    """Makes clients for one account and region; each service's client is made once.

    Attributes:
        region: AWS region name.
        profile: AWS profile name, or None for the default credential chain.
        endpoint_url: URL that serves every AWS API (the local target), or None for AWS itself.
        credentials: Access key to use instead of the credential chain, or None.
        connect_timeout_s: Seconds that a connection may take.
        read_timeout_s: Seconds that an answer may take.
        attempts: How often a call is tried at most, where trying again may help.
    """

    region: str
    profile: str | None = None
    endpoint_url: str | None = None
    credentials: Credentials | None = None
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    attempts: int = 5
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        """Return the boto3 client of `service`, such as "s3"."""
        if service not in self._clients:
            from botocore.config import Config

            config = Config(
                retries={"mode": "standard", "total_max_attempts": self.attempts},
                connect_timeout=self.connect_timeout_s,
                read_timeout=self.read_timeout_s,
                max_pool_connections=50,
                user_agent_extra=f"vectorops/{__version__}",
                s3={"addressing_style": "path"} if self.endpoint_url else None,
            )
            session: Any = self._session()  # typed for one service by name, which is not known here
            self._clients[service] = session.client(service, endpoint_url=self.endpoint_url, config=config)
        return self._clients[service]

    def signing_credentials(self) -> "BotoCredentials":
        """Return what a request to something that is no AWS API, such as a function's URL, is signed with.

        Raises:
            NoCredentialsError: There are none.
        """
        from botocore.exceptions import NoCredentialsError

        found = self._session().get_credentials()
        if found is None:
            raise NoCredentialsError
        return found

    def _session(self) -> "boto3.Session":
        import boto3

        if self.credentials:
            return boto3.Session(
                aws_access_key_id=self.credentials.access_key_id,
                aws_secret_access_key=self.credentials.secret_access_key,
                aws_session_token=self.credentials.session_token,
                region_name=self.region,
            )
        return boto3.Session(profile_name=self.profile, region_name=self.region)
