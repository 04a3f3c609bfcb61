locals {
  source = var.create_source_database ? {
    host               = aws_db_instance.source[0].address
    port               = aws_db_instance.source[0].port
    name               = aws_db_instance.source[0].db_name
    secret_arn         = one(aws_db_instance.source[0].master_user_secret[*].secret_arn)
    secret_kms_key_arn = null
    security_group_id  = aws_security_group.source[0].id
  } : var.source_database
}

# The connection holds where the credentials are, not the credentials.
resource "aws_glue_connection" "source" {
  name            = "${var.name_prefix}-source"
  description     = "Source database of ${local.job_name}."
  connection_type = "JDBC"

  connection_properties = {
    JDBC_CONNECTION_URL = "jdbc:mysql://${local.source.host}:${local.source.port}/${local.source.name}"
    JDBC_ENFORCE_SSL    = tostring(var.enforce_source_tls)
    SECRET_ID           = local.source.secret_arn
  }

  physical_connection_requirements {
    availability_zone      = var.subnets[0].availability_zone
    subnet_id              = var.subnets[0].id
    security_group_id_list = [aws_security_group.job.id]
  }

  tags = var.tags
}

resource "aws_security_group" "job" {
  name        = local.job_name
  description = "Workers of ${local.job_name}: each other, the source database, and AWS."
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = local.job_name })
}

# Glue refuses a connection whose group does not admit all TCP ports from itself: the workers talk to each other.
resource "aws_vpc_security_group_ingress_rule" "job_from_itself" {
  security_group_id            = aws_security_group.job.id
  description                  = "Workers among themselves"
  referenced_security_group_id = aws_security_group.job.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535

  tags = merge(var.tags, { Name = "${local.job_name}-from-itself" })
}

resource "aws_vpc_security_group_egress_rule" "job_to_itself" {
  security_group_id            = aws_security_group.job.id
  description                  = "Workers among themselves"
  referenced_security_group_id = aws_security_group.job.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535

  tags = merge(var.tags, { Name = "${local.job_name}-to-itself" })
}

resource "aws_vpc_security_group_egress_rule" "job_to_s3" {
  security_group_id = aws_security_group.job.id
  description       = "HTTPS to S3"
  prefix_list_id    = var.s3_prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = merge(var.tags, { Name = "${local.job_name}-to-s3" })
}

resource "aws_vpc_security_group_egress_rule" "job_to_endpoints" {
  security_group_id            = aws_security_group.job.id
  description                  = "HTTPS to the interface endpoints"
  referenced_security_group_id = var.endpoints_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443

  tags = merge(var.tags, { Name = "${local.job_name}-to-endpoints" })
}

resource "aws_vpc_security_group_egress_rule" "job_to_source" {
  security_group_id            = aws_security_group.job.id
  description                  = "MySQL to the source database"
  referenced_security_group_id = local.source.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.source.port
  to_port                      = local.source.port

  tags = merge(var.tags, { Name = "${local.job_name}-to-source" })
}

resource "aws_vpc_security_group_ingress_rule" "source_from_job" {
  security_group_id            = local.source.security_group_id
  description                  = "MySQL from ${local.job_name}"
  referenced_security_group_id = aws_security_group.job.id
  ip_protocol                  = "tcp"
  from_port                    = local.source.port
  to_port                      = local.source.port

  tags = merge(var.tags, { Name = "${local.job_name}-source-from-job" })
}
