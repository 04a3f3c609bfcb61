# A second job: loads embeddings from S3 into the vector database. Each load names its files and its table.

locals {
  loader_name    = "${var.name_prefix}-embeddings-load"
  results_prefix = "loads/"
  results_url    = "s3://${var.loader.results_bucket.name}/${local.results_prefix}"

  # "bucket/prefix" as {bucket, prefix}.
  loader_sources = [
    for source in sort(tolist(var.loader.sources)) : {
      bucket_arn = "arn:${local.partition}:s3:::${split("/", source)[0]}"
      prefix     = join("/", slice(split("/", source), 1, length(split("/", source))))
    }
  ]

  loader_arguments = {
    "--package"             = "s3://${aws_s3_object.loader_package.bucket}/${aws_s3_object.loader_package.key}"
    "--database_host"       = var.loader.database.host
    "--database_port"       = tostring(var.loader.database.port)
    "--database_name"       = var.loader.database.name
    "--database_secret_arn" = var.loader.database.secret_arn
    "--database_sslmode"    = var.loader.database.sslmode
    "--max_streams"         = tostring(var.loader.max_streams)
    "--results"             = local.results_url

    "--job-language"                     = "python"
    "--job-bookmark-option"              = "job-bookmark-disable"
    "--enable-job-insights"              = "true"
    "--enable-metrics"                   = "true"
    "--enable-observability-metrics"     = "true"
    "--enable-continuous-cloudwatch-log" = "true"
  }
}

resource "aws_s3_object" "loader_script" {
  bucket = var.scripts_bucket.name
  key    = "glue/embeddings_load.py"
  source = var.loader.script_path
  etag   = filemd5(var.loader.script_path)

  tags = var.tags
}

# Uploaded in parts, so its ETag is no MD5.
resource "aws_s3_object" "loader_package" {
  bucket      = var.scripts_bucket.name
  key         = "glue/embeddings_load.zip"
  source      = var.loader.package_path
  source_hash = filemd5(var.loader.package_path)

  tags = var.tags
}

# Puts the workers into the network, as clients of the database; there is no login in it.
resource "aws_glue_connection" "database" {
  name            = "${var.name_prefix}-database"
  description     = "Network of ${local.loader_name}."
  connection_type = "NETWORK"

  physical_connection_requirements {
    availability_zone      = var.subnets[0].availability_zone
    subnet_id              = var.subnets[0].id
    security_group_id_list = [aws_security_group.job.id, var.loader.database.client_security_group_id]
  }

  tags = var.tags
}

resource "aws_glue_job" "embeddings" {
  name              = local.loader_name
  description       = "Loads embeddings from S3 into the vector database, by 'vectorops load-embeddings --engine glue'."
  role_arn          = aws_iam_role.loader.arn
  glue_version      = "5.1" # its package is built for Python 3.11
  worker_type       = var.loader.worker_type
  number_of_workers = var.loader.worker_count
  timeout           = var.loader.timeout_minutes
  max_retries       = 0
  connections       = [aws_glue_connection.database.name]

  execution_property {
    max_concurrent_runs = 3
  }

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${aws_s3_object.loader_script.bucket}/${aws_s3_object.loader_script.key}"
  }

  default_arguments = local.loader_arguments

  tags = var.tags

  # A run that starts before the role may do its work fails.
  depends_on = [aws_iam_role_policy.loader]
}

data "aws_iam_policy_document" "loader" {
  statement {
    sid       = "ReadScriptAndPackage"
    actions   = ["s3:GetObject"]
    resources = [for object in [aws_s3_object.loader_script, aws_s3_object.loader_package] : "${var.scripts_bucket.arn}/${object.key}"]
  }

  statement {
    sid       = "ReadSources"
    actions   = ["s3:GetObject"]
    resources = [for source in local.loader_sources : "${source.bucket_arn}/${source.prefix}*"]
  }

  dynamic "statement" {
    for_each = local.loader_sources

    content {
      sid       = "ListSource${statement.key}"
      actions   = ["s3:ListBucket"]
      resources = [statement.value.bucket_arn]

      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        values   = ["${statement.value.prefix}*"]
      }
    }
  }

  statement {
    sid       = "KeepResults"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${var.loader.results_bucket.arn}/${local.results_prefix}*"]
  }

  statement {
    sid       = "ReadDatabaseCredentials"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.loader.database.secret_arn]
  }

  dynamic "statement" {
    for_each = var.loader.database.secret_kms_key_arn == null ? [] : [var.loader.database.secret_kms_key_arn]

    content {
      sid       = "DecryptDatabaseCredentials"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }

  statement {
    sid       = "ReadConnection"
    actions   = ["glue:GetConnection"]
    resources = ["${local.glue_arn}:catalog", aws_glue_connection.database.arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.logs_arn}:log-group:/aws-glue/jobs/*"]
  }

  # AWS knows no resource for this action; the namespace is Glue's own.
  statement {
    sid       = "WriteMetrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Glue"]
    }
  }
}

resource "aws_iam_role" "loader" {
  name               = local.loader_name
  description        = "Role of the Glue job ${local.loader_name}."
  assume_role_policy = data.aws_iam_policy_document.glue_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "loader" {
  name   = "read-sources-load-database"
  role   = aws_iam_role.loader.id
  policy = data.aws_iam_policy_document.loader.json
}

resource "aws_iam_role_policy" "loader_network" {
  name   = "join-network"
  role   = aws_iam_role.loader.id
  policy = data.aws_iam_policy_document.job_network["loader"].json
}
