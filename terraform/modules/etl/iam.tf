locals {
  glue_arn = "arn:${local.partition}:glue:${local.region}:${local.account_id}"
  ec2_arn  = "arn:${local.partition}:ec2:${local.region}:${local.account_id}"
  logs_arn = "arn:${local.partition}:logs:${local.region}:${local.account_id}"

  catalog_arns = [
    "${local.glue_arn}:catalog",
    "${local.glue_arn}:database/${aws_glue_catalog_database.this.name}",
    "${local.glue_arn}:table/${aws_glue_catalog_database.this.name}/${aws_glue_catalog_table.ratings.name}",
  ]
}

data "aws_iam_policy_document" "glue_trust" {
  statement {
    sid     = "OnlyGlue"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["glue.amazonaws.com"]
    }
  }
}

# What job and crawler both do: read the training data, and keep its table's partitions.
data "aws_iam_policy_document" "training_data" {
  statement {
    sid       = "ReadTrainingData"
    actions   = ["s3:GetObject"]
    resources = ["${var.data_lake_bucket.arn}/${local.data_prefix}*"]
  }

  statement {
    sid       = "ListTrainingData"
    actions   = ["s3:ListBucket"]
    resources = [var.data_lake_bucket.arn]

    # With and without what follows the name, because a folder is looked up under either.
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [trimsuffix(local.data_prefix, "/"), "${local.data_prefix}*"]
    }
  }

  statement {
    sid       = "FindDataLake"
    actions   = ["s3:GetBucketLocation"]
    resources = [var.data_lake_bucket.arn]
  }

  statement {
    sid = "KeepTableAndPartitions"
    actions = [
      "glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:UpdateTable",
      "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition",
      "glue:CreatePartition", "glue:BatchCreatePartition", "glue:UpdatePartition", "glue:BatchUpdatePartition",
      "glue:DeletePartition", "glue:BatchDeletePartition",
    ]
    resources = local.catalog_arns
  }
}

data "aws_iam_policy_document" "job" {
  source_policy_documents = [data.aws_iam_policy_document.training_data.json]

  statement {
    sid       = "ReadScript"
    actions   = ["s3:GetObject"]
    resources = ["${var.scripts_bucket.arn}/${aws_s3_object.script.key}"]
  }

  statement {
    sid       = "ReplaceTrainingData"
    actions   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${var.data_lake_bucket.arn}/${local.data_prefix}*"]
  }

  # Spark on Glue marks a new folder with an empty object of this name beside it.
  statement {
    sid       = "MarkFolder"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${var.data_lake_bucket.arn}/${trimsuffix(local.data_prefix, "/")}_$folder$"]
  }

  statement {
    sid       = "WriteSparkEventLogs"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${var.scripts_bucket.arn}/${local.log_prefix}*"]
  }

  statement {
    sid       = "ListSparkEventLogs"
    actions   = ["s3:ListBucket"]
    resources = [var.scripts_bucket.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [trimsuffix(local.log_prefix, "/"), "${local.log_prefix}*"]
    }
  }

  statement {
    sid       = "ReadConnection"
    actions   = ["glue:GetConnection"]
    resources = ["${local.glue_arn}:catalog", aws_glue_connection.source.arn]
  }

  statement {
    sid       = "ReadSourceCredentials"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = [local.source.secret_arn]
  }

  dynamic "statement" {
    for_each = local.source.secret_kms_key_arn == null ? [] : [local.source.secret_kms_key_arn]

    content {
      sid       = "DecryptSourceCredentials"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
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

# Glue gives each worker a network interface in the connection's subnet, under the job's role.
data "aws_iam_policy_document" "job_network" {
  for_each = {
    etl    = [aws_security_group.job.id]
    loader = [aws_security_group.job.id, var.loader.database.client_security_group_id]
  }

  # AWS knows no resource for these actions.
  statement {
    sid = "LookAtNetwork"
    actions = [
      "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets", "ec2:DescribeVpcEndpoints",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "LookAtVpc"
    actions   = ["ec2:DescribeVpcAttribute"]
    resources = ["${local.ec2_arn}:vpc/${var.vpc_id}"]
  }

  statement {
    sid     = "JoinSubnet"
    actions = ["ec2:CreateNetworkInterface"]
    resources = concat(
      ["${local.ec2_arn}:network-interface/*", "${local.ec2_arn}:subnet/${var.subnets[0].id}"],
      [for group in each.value : "${local.ec2_arn}:security-group/${group}"],
    )
  }

  statement {
    sid       = "LeaveVpc"
    actions   = ["ec2:DeleteNetworkInterface"]
    resources = ["${local.ec2_arn}:network-interface/*"]

    condition {
      test     = "ArnEquals"
      variable = "ec2:Vpc"
      values   = ["${local.ec2_arn}:vpc/${var.vpc_id}"]
    }
  }

  statement {
    sid       = "TagInterfaces"
    actions   = ["ec2:CreateTags", "ec2:DeleteTags"]
    resources = ["${local.ec2_arn}:network-interface/*"]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "aws:TagKeys"
      values   = ["aws-glue-service-resource"]
    }
  }
}

resource "aws_iam_role" "job" {
  name               = local.job_name
  description        = "Role of the Glue job ${local.job_name}."
  assume_role_policy = data.aws_iam_policy_document.glue_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "job" {
  name   = "read-source-write-training-data"
  role   = aws_iam_role.job.id
  policy = data.aws_iam_policy_document.job.json
}

resource "aws_iam_role_policy" "job_network" {
  name   = "join-network"
  role   = aws_iam_role.job.id
  policy = data.aws_iam_policy_document.job_network["etl"].json
}

data "aws_iam_policy_document" "crawler" {
  source_policy_documents = [data.aws_iam_policy_document.training_data.json]

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.logs_arn}:log-group:/aws-glue/crawlers*"]
  }
}

resource "aws_iam_role" "crawler" {
  name               = "${local.job_name}-crawler"
  description        = "Role of the Glue crawler ${local.job_name}-crawler."
  assume_role_policy = data.aws_iam_policy_document.glue_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "crawler" {
  name   = "read-training-data"
  role   = aws_iam_role.crawler.id
  policy = data.aws_iam_policy_document.crawler.json
}
