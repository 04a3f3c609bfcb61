locals {
  recommendations_path = "s3://${var.recommendations_bucket.name}/${local.recommendations_prefix}"

  items = "array<struct<id:string,score:double>>"

  # What the sender decides is text here, whatever it is in JSON: the event is delivered as it came, and an object where
  # a number was expected would fail every query that meets it. What the transform adds has the types it gives it.
  columns = [
    { name = "session_id", type = "string", comment = "Session the event belongs to" },
    { name = "customer_number", type = "string", comment = "Customer who browses; a number as text" },
    { name = "city", type = "string", comment = "City of the customer" },
    { name = "country", type = "string", comment = "Country of the customer" },
    { name = "credit_limit", type = "string", comment = "Credit limit of the customer; a number as text" },
    { name = "browse_history", type = "string", comment = "Browsed products with product_code, quantity and in_shopping_cart; JSON as text" },
    { name = "recommended_items", type = local.items, comment = "Nearest items to the user, best first" },
    { name = "similar_items", type = "struct<product_code:string,similar_items:${local.items}>", comment = "Nearest items to one browsed item, best first" },
  ]
}

# The hours are computed from the query: there is no partition to register, no crawler, and nothing to wait for.
resource "aws_glue_catalog_table" "recommendations" {
  database_name = var.catalog_database
  name          = "recommendations"
  description   = "User activity with recommendations, as ${local.delivery_name} delivers it."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL       = "TRUE"
    classification = "json"

    "projection.enabled"                = "true"
    "projection.datehour.type"          = "date"
    "projection.datehour.format"        = local.hour_format
    "projection.datehour.range"         = "NOW-${var.table_days}DAYS,NOW"
    "projection.datehour.interval"      = "1"
    "projection.datehour.interval.unit" = "HOURS"
    "storage.location.template"         = "${local.recommendations_path}$${datehour}/"
  }

  partition_keys {
    name    = "datehour"
    type    = "string"
    comment = "Hour of arrival in UTC, as 2026/11/21/06"
  }

  storage_descriptor {
    location      = local.recommendations_path
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"

      # An event may name a field twice, or as "City" and "city": it is JSON, and would fail every query that meets it.
      parameters = {
        "case.insensitive"      = "FALSE"
        "ignore.malformed.json" = "TRUE"
      }
    }

    dynamic "columns" {
      for_each = local.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

resource "aws_athena_workgroup" "recommendations" {
  name        = local.delivery_name
  description = "Queries on ${local.delivery_name}, each of which scans ${var.query_limit_gib} GiB at most."

  # Queries that somebody saved in it do not stop a destroy.
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.query_limit_gib * 1024 * 1024 * 1024

    result_configuration {
      output_location = "s3://${var.recommendations_bucket.name}/${var.query_results_prefix}"

      encryption_configuration {
        encryption_option = "SSE_S3"
      }
    }
  }

  tags = var.tags
}
