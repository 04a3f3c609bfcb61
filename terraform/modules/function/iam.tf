data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition  = data.aws_partition.current.partition
  account_id = data.aws_caller_identity.current.account_id
  region     = data.aws_region.current.id

  ec2_arn = "arn:${local.partition}:ec2:${local.region}:${local.account_id}"
  # Written out, because the function is made after its role.
  function_arn = "arn:${local.partition}:lambda:${local.region}:${local.account_id}:function:${local.name}"

  secret_kms_key_arns = compact(var.readable_secrets[*].kms_key_arn)
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "OnlyLambda"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

# What the function's code does.
data "aws_iam_policy_document" "work" {
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  dynamic "statement" {
    for_each = length(var.readable_secrets) == 0 ? [] : [var.readable_secrets[*].arn]

    content {
      sid       = "ReadSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(local.secret_kms_key_arns) == 0 ? [] : [local.secret_kms_key_arns]

    content {
      sid       = "DecryptSecrets"
      actions   = ["kms:Decrypt"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = var.readable_objects

    content {
      sid       = "Read${title(statement.key)}"
      actions   = ["s3:GetObject"]
      resources = ["${statement.value.bucket_arn}/${statement.value.prefix}*"]
    }
  }

  # S3 tells a missing object from a refused one only to who may list. Where it asks that for a single object, there is
  # no prefix to compare; a listing with a prefix has to keep to this one.
  dynamic "statement" {
    for_each = var.readable_objects

    content {
      sid       = "List${title(statement.key)}"
      actions   = ["s3:ListBucket"]
      resources = [statement.value.bucket_arn]

      condition {
        test     = "StringLikeIfExists"
        variable = "s3:prefix"
        values   = ["${statement.value.prefix}*"]
      }
    }
  }

  # AWS knows no resource for these actions.
  dynamic "statement" {
    for_each = var.enable_tracing ? [true] : []

    content {
      sid       = "WriteTraces"
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"]
    }
  }
}

# What Lambda does under the function's role, to put it into the network.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
data "aws_iam_policy_document" "network" {
  # AWS knows no resource for these actions.
  statement {
    sid       = "LookAtNetwork"
    actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
    resources = ["*"]
  }

  statement {
    sid     = "JoinSubnets"
    actions = ["ec2:CreateNetworkInterface"]
    resources = concat(
      ["${local.ec2_arn}:network-interface/*", "${local.ec2_arn}:security-group/${aws_security_group.this.id}"],
      [for id in var.client_security_group_ids : "${local.ec2_arn}:security-group/${id}"],
      [for id in var.network.subnet_ids : "${local.ec2_arn}:subnet/${id}"],
    )
  }

  statement {
    sid       = "GiveAddresses"
    actions   = ["ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
    resources = ["${local.ec2_arn}:network-interface/*"]
  }

  # Lambda wants this for one interface, or for everything in the account and region.
  statement {
    sid       = "LeaveSubnets"
    actions   = ["ec2:DeleteNetworkInterface"]
    resources = ["${local.ec2_arn}:*/*"]
  }

  # None of this is for the code that runs in the function: its calls carry the function's ARN, Lambda's own do not.
  statement {
    sid    = "NotFromTheCode"
    effect = "Deny"
    actions = [
      "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["${local.ec2_arn}:*/*"]

    condition {
      test     = "ArnEquals"
      variable = "lambda:SourceFunctionArn"
      values   = [local.function_arn]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = local.name
  description        = "Role of the function ${local.name}."
  assume_role_policy = data.aws_iam_policy_document.trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "work" {
  name   = "log-and-read"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.work.json
}

resource "aws_iam_role_policy" "network" {
  name   = "join-network"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.network.json
}
