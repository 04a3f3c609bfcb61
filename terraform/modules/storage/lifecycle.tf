resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  # Parts of an upload that never finished are invisible in listings, and billed.
  rule {
    id     = "abort-unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = each.value.versioned ? [true] : []

    content {
      id     = "expire-noncurrent-versions"
      status = "Enabled"

      filter {}

      noncurrent_version_expiration {
        noncurrent_days = var.noncurrent_version_days
      }

      # A marker that hides no version any more only slows listings down.
      expiration {
        expired_object_delete_marker = true
      }
    }
  }

  dynamic "rule" {
    for_each = each.value.expiration

    content {
      id     = "expire-${rule.key == "" ? "objects" : trimsuffix(rule.key, "/")}"
      status = "Enabled"

      filter {
        prefix = rule.key == "" ? null : rule.key
      }

      expiration {
        days = rule.value
      }
    }
  }

  # Rules for noncurrent versions are only accepted once versioning is on.
  depends_on = [aws_s3_bucket_versioning.this]
}
