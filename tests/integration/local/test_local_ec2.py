from collections.abc import Iterator

import pytest

from vectorops.aws import Aws


@pytest.fixture
def group(operator: Aws) -> Iterator[str]:
    ec2 = operator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="database", Description="test", VpcId=vpc)["GroupId"]
    yield group
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=vpc)


def test_a_rule_about_a_prefix_list_names_it(operator: Aws, group: str) -> None:
    ec2 = operator.client("ec2")
    prefix_list = ec2.describe_prefix_lists()["PrefixLists"][0]["PrefixListId"]
    lists = [{"PrefixListId": prefix_list, "Description": "HTTPS to S3"}]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": lists}
    made = ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[permission])
    identifier = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    rule = ec2.describe_security_group_rules(SecurityGroupRuleIds=[identifier])["SecurityGroupRules"][0]
    assert (rule["PrefixListId"], rule["Description"]) == (prefix_list, "HTTPS to S3")
    ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[identifier])


def test_the_rule_that_allows_everything_out_can_be_removed(operator: Aws, group: str) -> None:
    ec2 = operator.client("ec2")
    everything = {"IpProtocol": "-1", "FromPort": 0, "ToPort": 0, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everything])
    found = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    assert found["IpPermissionsEgress"] == []
