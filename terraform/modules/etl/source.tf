# A source to try the pipeline with, where there is none yet. It is made to be thrown away.

locals {
  source_identifier = "${var.name_prefix}-source"
}

resource "aws_db_subnet_group" "source" {
  count = var.create_source_database ? 1 : 0

  name        = local.source_identifier
  description = "Private subnets of ${local.source_identifier}."
  subnet_ids  = var.subnets[*].id

  tags = var.tags
}

resource "aws_security_group" "source" {
  count = var.create_source_database ? 1 : 0

  name        = local.source_identifier
  description = "Source database ${local.source_identifier}: MySQL from the job and from who loads it."
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = local.source_identifier })
}

resource "aws_vpc_security_group_ingress_rule" "source_from_group" {
  for_each = var.create_source_database ? var.created_source.allowed_security_groups : {}

  security_group_id            = aws_security_group.source[0].id
  description                  = "MySQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = aws_db_instance.source[0].port
  to_port                      = aws_db_instance.source[0].port

  tags = merge(var.tags, { Name = "${local.source_identifier}-from-${each.key}" })
}

resource "aws_vpc_security_group_ingress_rule" "source_from_range" {
  for_each = var.create_source_database ? var.created_source.allowed_cidr_blocks : []

  security_group_id = aws_security_group.source[0].id
  description       = "MySQL from ${each.key}"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = aws_db_instance.source[0].port
  to_port           = aws_db_instance.source[0].port

  tags = merge(var.tags, { Name = "${local.source_identifier}-from-${each.key}" })
}

# Names and text of the sample data are full of accents: utf8mb4 from end to end. TLS is not optional.
resource "aws_db_parameter_group" "source" {
  count = var.create_source_database ? 1 : 0

  name        = "${local.source_identifier}-mysql84"
  family      = "mysql8.4"
  description = "Forced TLS, utf8mb4."

  parameter {
    name         = "require_secure_transport"
    value        = "ON"
    apply_method = "immediate"
  }

  parameter {
    name         = "character_set_server"
    value        = "utf8mb4"
    apply_method = "immediate"
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "source" {
  count = var.create_source_database ? 1 : 0

  identifier = local.source_identifier

  engine                     = "mysql"
  engine_version             = "8.4"
  auto_minor_version_upgrade = true
  instance_class             = var.created_source.instance_class
  parameter_group_name       = aws_db_parameter_group.source[0].name
  apply_immediately          = true

  storage_type      = "gp3"
  allocated_storage = 20
  storage_encrypted = true

  db_name                     = "classicmodels"
  username                    = "vectorops"
  manage_master_user_password = true

  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.source[0].name
  vpc_security_group_ids = [aws_security_group.source[0].id]

  backup_retention_period = 1
  copy_tags_to_snapshot   = true
  deletion_protection     = false
  skip_final_snapshot     = true

  tags = merge(var.tags, { Name = local.source_identifier })
}
