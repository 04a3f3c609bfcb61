"""EC2: security group rules about prefix lists, and the removal of the rule that allows everything out."""

from typing import Any

from ministack.services import ec2

from vectorops.local.emulator.mending import Function, need, replace

Rule = dict[str, Any]


def install() -> None:
    """Mend the library."""
    need(ec2, "_p")
    replace(ec2, "_parse_ip_permissions", _parse_ip_permissions)
    replace(ec2, "_sg_rule_xml", _rule_xml)


def _parse_ip_permissions(original: Function) -> Function:
    """Read the prefix lists too, which the library drops, and forget ports where the protocol is "all".

    The provider removes a new group's outbound rule with ports 0 to 0. AWS ignores them; the library compares
    them, and keeps the rule.
    """

    def parse(params: dict[str, Any], prefix: str) -> list[Rule]:
        rules: list[Rule] = original(params, prefix)
        for number, rule in enumerate(rules, start=1):
            rule["PrefixListIds"] = _prefix_lists(params, f"{prefix}.{number}.PrefixListIds")
            if rule["IpProtocol"] == "-1":
                rule.pop("FromPort", None)
                rule.pop("ToPort", None)
        return rules

    return parse


def _prefix_lists(params: dict[str, Any], prefix: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    while identifier := ec2._p(params, f"{prefix}.{len(found) + 1}.PrefixListId"):
        description = ec2._p(params, f"{prefix}.{len(found) + 1}.Description")
        found.append({"PrefixListId": identifier} | ({"Description": description} if description else {}))
    return found


def _rule_xml(original: Function) -> Function:
    """Name the prefix list in a rule, where the library shows a rule about nothing."""

    def rule_xml(group_id: str, rule: Rule, is_egress: bool = False) -> str:
        text: str = original(group_id, rule, is_egress=is_egress)
        others = any(rule.get(key) for key in ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs"))
        if others or not rule.get("PrefixListIds"):
            return text
        return "".join(
            text.replace("</toPort>", f"</toPort><prefixListId>{one['PrefixListId']}</prefixListId>")
            for one in rule["PrefixListIds"]
        )

    return rule_xml
