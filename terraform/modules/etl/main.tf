data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  job_name = "${var.name_prefix}-ratings-etl"

  data_prefix = "ratings_ml_training/"
  data_path   = "s3://${var.data_lake_bucket.name}/${local.data_prefix}"
  log_prefix  = "logs/spark-ui/"

  partition  = data.aws_partition.current.partition
  account_id = data.aws_caller_identity.current.account_id
  region     = data.aws_region.current.id

  arguments = {
    "--connection_name"  = aws_glue_connection.source.name
    "--source_database"  = local.source.name
    "--data_lake_path"   = local.data_path
    "--catalog_database" = aws_glue_catalog_database.this.name
    "--catalog_table"    = aws_glue_catalog_table.ratings.name
    "--partition_by"     = length(var.partition_by) == 0 ? "none" : join(",", var.partition_by)
    "--max_partitions"   = tostring(var.max_partitions)
    "--max_null_keys"    = var.quality_limits.null_keys
    "--max_bad_ratings"  = var.quality_limits.bad_ratings
    "--max_orphans"      = var.quality_limits.orphans
    "--max_duplicates"   = var.quality_limits.duplicates

    "--job-language"                     = "python"
    "--job-bookmark-option"              = "job-bookmark-disable" # bookmarks see inserts, and neither updates nor deletes
    "--enable-job-insights"              = "true"
    "--enable-metrics"                   = "true"
    "--enable-observability-metrics"     = "true"
    "--enable-continuous-cloudwatch-log" = "true"
    "--enable-spark-ui"                  = "true"
    "--spark-event-logs-path"            = "s3://${var.scripts_bucket.name}/${local.log_prefix}"
  }
}

resource "aws_s3_object" "script" {
  bucket = var.scripts_bucket.name
  key    = "glue/ratings_etl.py"
  source = var.script_path
  etag   = filemd5(var.script_path)

  tags = var.tags
}

resource "aws_glue_job" "ratings" {
  name              = local.job_name
  description       = "Joins customers, products and ratings of the source database into the training data."
  role_arn          = aws_iam_role.job.arn
  glue_version      = var.glue_version
  worker_type       = var.worker_type
  number_of_workers = var.worker_count
  timeout           = var.timeout_minutes
  max_retries       = var.max_retries
  connections       = [aws_glue_connection.source.name]

  execution_property {
    max_concurrent_runs = var.max_concurrent_runs
  }

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${aws_s3_object.script.bucket}/${aws_s3_object.script.key}"
  }

  default_arguments = merge(var.extra_arguments, local.arguments)

  tags = var.tags

  # A run that starts before the role may do its work fails.
  depends_on = [aws_iam_role_policy.job]
}

resource "aws_glue_trigger" "schedule" {
  count = var.schedule == null ? 0 : 1

  name     = "${local.job_name}-schedule"
  type     = "SCHEDULED"
  schedule = var.schedule

  actions {
    job_name = aws_glue_job.ratings.name
  }

  tags = var.tags
}
