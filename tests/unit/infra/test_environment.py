from vectorops.aws import Aws, Credentials
from vectorops.infra.environment import terraform_environ

LOCAL = Aws("us-east-1", endpoint_url="http://127.0.0.1:4000", credentials=Credentials("key", "secret"))


def test_nothing_of_the_users_aws_login_reaches_the_local_target() -> None:
    mine = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "token", "PATH": "/bin"}
    environ = terraform_environ(mine, LOCAL)
    assert environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4000"
    assert environ["PATH"] == "/bin"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(environ)


def test_a_proxy_does_not_stand_before_the_local_target() -> None:
    assert terraform_environ({"NO_PROXY": "intranet"}, LOCAL)["NO_PROXY"] == "intranet,127.0.0.1"


def test_on_aws_the_users_own_login_is_used() -> None:
    environ = terraform_environ({"AWS_SESSION_TOKEN": "token"}, Aws("eu-west-1", profile="prod"))
    assert environ["AWS_SESSION_TOKEN"] == "token"
    assert environ["AWS_PROFILE"] == "prod"
    assert environ["AWS_REGION"] == "eu-west-1"
    assert "AWS_ENDPOINT_URL" not in environ
