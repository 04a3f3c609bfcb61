data "aws_caller_identity" "current" {}

locals {
  # Results of Athena queries: copies, that are read once.
  query_results_prefix = "athena-results/"

  # Versions matter where an overwrite loses something: the models and embeddings in use. The training data and the
  # scripts can be made again, and recommendations are only ever added: there, versions would only double the bill.
  buckets = {
    data_lake = {
      purpose    = "data-lake"
      versioned  = false
      expiration = {}
    }
    ml_artifacts = {
      purpose    = "ml-artifacts"
      versioned  = true
      expiration = {}
    }
    scripts = {
      purpose    = "scripts"
      versioned  = false
      expiration = { "logs/" = var.log_retention_days }
    }
    recommendations = {
      purpose   = "recommendations"
      versioned = false
      expiration = merge(
        { (local.query_results_prefix) = 7 },
        var.recommendations_retention_days == null ? {} : { "" = var.recommendations_retention_days },
      )
    }
  }

  versioned_buckets = { for key, bucket in local.buckets : key => bucket if bucket.versioned }
}

resource "aws_s3_bucket" "this" {
  for_each = local.buckets

  # Bucket names are shared by all of AWS; the account id makes ours our own.
  bucket        = "${var.name_prefix}-${each.value.purpose}-${data.aws_caller_identity.current.account_id}"
  force_destroy = var.force_destroy

  tags = merge(var.tags, { Purpose = each.value.purpose })
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.versioned_buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}
