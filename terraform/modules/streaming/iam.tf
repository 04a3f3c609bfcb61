data "aws_iam_policy_document" "firehose_trust" {
  statement {
    sid     = "OnlyFirehose"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["firehose.amazonaws.com"]
    }
  }
}

# Reading the stream.
data "aws_iam_policy_document" "source" {
  statement {
    sid       = "ReadStream"
    actions   = ["kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards"]
    resources = [aws_kinesis_stream.activity.arn]
  }

  # Not needed for AWS's own key, which decrypts for whoever may read the stream.
  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "DecryptStream"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["kinesis.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}

# Transforming and delivering what was read.
data "aws_iam_policy_document" "delivery" {
  statement {
    sid       = "CallTransform"
    actions   = ["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"]
    resources = [local.transform_arn]
  }

  statement {
    sid     = "WriteObjects"
    actions = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = [
      "${var.recommendations_bucket.arn}/${local.recommendations_prefix}*",
      "${var.recommendations_bucket.arn}/${local.errors_prefix}*",
    ]
  }

  statement {
    sid       = "FindBucket"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [var.recommendations_bucket.arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.delivery.arn}:log-stream:${aws_cloudwatch_log_stream.delivery.name}"]
  }
}

resource "aws_iam_role" "source" {
  name               = "${local.delivery_name}-source"
  description        = "Lets ${local.delivery_name} read ${local.stream_name}."
  assume_role_policy = data.aws_iam_policy_document.firehose_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "source" {
  name   = "read-stream"
  role   = aws_iam_role.source.id
  policy = data.aws_iam_policy_document.source.json
}

resource "aws_iam_role" "delivery" {
  name               = "${local.delivery_name}-delivery"
  description        = "Lets ${local.delivery_name} call its transform and write to the recommendations bucket."
  assume_role_policy = data.aws_iam_policy_document.firehose_trust.json

  tags = var.tags
}

resource "aws_iam_role_policy" "delivery" {
  name   = "transform-and-deliver"
  role   = aws_iam_role.delivery.id
  policy = data.aws_iam_policy_document.delivery.json
}
