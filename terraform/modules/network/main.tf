data "aws_region" "current" {}

data "aws_availability_zones" "available" {
  state = "available"

  # Local Zones and Wavelength Zones have to be opted into, and offer neither RDS nor Glue.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zones = slice(sort(data.aws_availability_zones.available.names), 0, var.availability_zone_count)

  # Sixteenths of the range: the first three are the zones', the rest is free for what comes later.
  subnet_cidr_blocks = { for index, zone in local.zones : zone => cidrsubnet(var.cidr_block, 4, index) }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true # private names of the interface endpoints need it

  tags = merge(var.tags, { Name = var.name_prefix })
}

# AWS gives every VPC a group that admits its own members and lets everything out. Nothing here wears it; without
# rules it cannot be worn by mistake.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name_prefix}-default-closed" })
}

resource "aws_subnet" "private" {
  for_each = local.subnet_cidr_blocks

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value

  tags = merge(var.tags, { Name = "${var.name_prefix}-private-${each.key}" })
}

# One table for all zones: without a NAT gateway no route differs between them.
resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name_prefix}-private" })
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}
