mock_provider "aws" {
  source = "../../tests/mocks"

  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1c", "eu-central-1a", "eu-central-1b"] }
  }
}

variables {
  name_prefix = "vectorops-test"
}

run "spreads_private_subnets_over_two_zones_by_default" {
  command = plan

  assert {
    condition     = keys(aws_subnet.private) == ["eu-central-1a", "eu-central-1b"]
    error_message = "the first two zones, in alphabetical order, must hold one subnet each"
  }

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.40.0.0/20", "10.40.16.0/20"]
    error_message = "each zone must take its own sixteenth of the VPC's range"
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.private : subnet.map_public_ip_on_launch != true])
    error_message = "no subnet may hand out public addresses"
  }
}

run "a_third_zone_leaves_the_first_two_where_they_are" {
  command = plan

  variables {
    availability_zone_count = 3
  }

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.40.0.0/20", "10.40.16.0/20", "10.40.32.0/20"]
    error_message = "going from two zones to three must not move a subnet"
  }
}

run "every_subnet_reaches_s3_through_the_gateway" {
  command = apply

  assert {
    condition     = aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-central-1.s3" && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "S3 must be reached through the free gateway endpoint"
  }

  assert {
    condition     = alltrue([for a in aws_route_table_association.private : contains(aws_vpc_endpoint.s3.route_table_ids, a.route_table_id)])
    error_message = "every private subnet must use a route table that the S3 endpoint is in"
  }

  assert {
    condition     = length(aws_route_table_association.private) == length(output.private_subnet_ids)
    error_message = "every private subnet must be associated with the private route table"
  }
}

run "costs_nothing_per_hour_unless_asked" {
  command = plan

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0
    error_message = "interface endpoints are billed by the hour and must be off by default"
  }
}

run "interface_endpoints_sit_in_every_zone_behind_their_own_group" {
  command = apply

  variables {
    interface_endpoints = ["secretsmanager", "kinesis-streams"]
  }

  assert {
    condition     = toset([for e in aws_vpc_endpoint.interface : e.service_name]) == toset(["com.amazonaws.eu-central-1.secretsmanager", "com.amazonaws.eu-central-1.kinesis-streams"])
    error_message = "each service asked for must have its endpoint"
  }

  assert {
    condition     = alltrue([for e in aws_vpc_endpoint.interface : e.private_dns_enabled && length(e.subnet_ids) == 2])
    error_message = "endpoints must answer under the service's usual name, in every zone"
  }

  assert {
    condition     = alltrue([for e in aws_vpc_endpoint.interface : e.security_group_ids == toset([aws_security_group.endpoints.id])])
    error_message = "endpoints must wear the group made for them"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints_https.cidr_ipv4 == "10.40.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints_https.to_port == 443
    error_message = "endpoints must admit HTTPS from the VPC only"
  }
}

run "the_default_security_group_lets_nothing_through" {
  command = apply

  assert {
    condition     = aws_default_security_group.closed.vpc_id == output.vpc_id
    error_message = "the default group taken over must be this VPC's"
  }

  assert {
    condition     = length(aws_default_security_group.closed.ingress) == 0 && length(aws_default_security_group.closed.egress) == 0
    error_message = "the VPC's default group must have no rules"
  }
}

run "rejects_what_aws_would_refuse" {
  command = plan

  variables {
    interface_endpoints     = ["secretmanager"]
    availability_zone_count = 1
    cidr_block              = "10.40.0.0/24"
    name_prefix             = "Vectorops_Test"
  }

  expect_failures = [
    var.interface_endpoints,
    var.availability_zone_count,
    var.cidr_block,
    var.name_prefix,
  ]
}
