resource "aws_security_group" "database" {
  name        = local.identifier
  description = "Vector database ${local.identifier}: PostgreSQL from its clients, HTTPS to S3 for imports."
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = local.identifier })
}

resource "aws_security_group" "client" {
  name        = "${local.identifier}-client"
  description = "Worn by what may connect to ${local.identifier}."
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${local.identifier}-client" })
}

# Rules name the instance's own port rather than the one asked for, which may be left open.
resource "aws_vpc_security_group_ingress_rule" "from_group" {
  for_each = merge({ client = aws_security_group.client.id }, var.allowed_security_groups)

  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = aws_db_instance.this.port
  to_port                      = aws_db_instance.this.port

  tags = merge(var.tags, { Name = "${local.identifier}-from-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "from_range" {
  for_each = var.allowed_cidr_blocks

  security_group_id = aws_security_group.database.id
  description       = "PostgreSQL from ${each.key}"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = aws_db_instance.this.port
  to_port           = aws_db_instance.this.port

  tags = merge(var.tags, { Name = "${local.identifier}-from-${each.key}" })
}

resource "aws_vpc_security_group_egress_rule" "client_to_database" {
  security_group_id            = aws_security_group.client.id
  description                  = "PostgreSQL to ${local.identifier}"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = aws_db_instance.this.port
  to_port                      = aws_db_instance.this.port

  tags = merge(var.tags, { Name = "${local.identifier}-client-to-database" })
}

resource "aws_vpc_security_group_egress_rule" "database_to_s3" {
  security_group_id = aws_security_group.database.id
  description       = "HTTPS to S3, for imports"
  prefix_list_id    = var.s3_prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = merge(var.tags, { Name = "${local.identifier}-to-s3" })
}
