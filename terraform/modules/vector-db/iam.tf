# The role the database acts under in aws_s3.table_import_from_s3: reading the import prefix, and nothing else.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  # Written out, because the instance is made after the role.
  instance_arn = "arn:${data.aws_partition.current.partition}:rds:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:db:${local.identifier}"
}

data "aws_iam_policy_document" "s3_import_trust" {
  statement {
    sid     = "OnlyThisDatabase"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["rds.amazonaws.com"]
    }

    # Without these, any database of any account that knows the ARN could borrow the role through RDS.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.instance_arn]
    }
  }
}

data "aws_iam_policy_document" "s3_import" {
  statement {
    sid       = "ReadImportPrefix"
    actions   = ["s3:GetObject"]
    resources = ["${var.import_bucket_arn}/${var.import_prefix}*"]
  }

  # With it, a missing file is reported as missing instead of as access denied.
  statement {
    sid       = "ListImportPrefix"
    actions   = ["s3:ListBucket"]
    resources = [var.import_bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.import_prefix}*"]
    }
  }
}

resource "aws_iam_role" "s3_import" {
  name               = "${local.identifier}-s3-import"
  description        = "Lets ${local.identifier} read ${var.import_prefix} of the artefact bucket."
  assume_role_policy = data.aws_iam_policy_document.s3_import_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "s3_import" {
  name   = "read-import-prefix"
  role   = aws_iam_role.s3_import.id
  policy = data.aws_iam_policy_document.s3_import.json
}

resource "aws_db_instance_role_association" "s3_import" {
  db_instance_identifier = aws_db_instance.this.identifier
  feature_name           = "s3Import"
  role_arn               = aws_iam_role.s3_import.arn

  # RDS tries the role when it is attached.
  depends_on = [aws_iam_role_policy.s3_import]
}
