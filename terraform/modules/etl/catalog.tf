locals {
  # The training data as the Parquet files hold it.
  columns = [
    { name = "customerNumber", type = "int", comment = "Customer who rated" },
    { name = "city", type = "string", comment = "City of the customer" },
    { name = "state", type = "string", comment = "State of the customer; often null" },
    { name = "postalCode", type = "string", comment = "Postal code of the customer" },
    { name = "country", type = "string", comment = "Country of the customer" },
    { name = "creditLimit", type = "decimal(10,2)", comment = "Credit limit of the customer" },
    { name = "productCode", type = "string", comment = "Rated product" },
    { name = "productLine", type = "string", comment = "Line the product belongs to" },
    { name = "productScale", type = "string", comment = "Scale of the model, such as 1:10" },
    { name = "quantityInStock", type = "int", comment = "Pieces of the product in stock" },
    { name = "buyPrice", type = "decimal(10,2)", comment = "Price the product is bought at" },
    { name = "MSRP", type = "decimal(10,2)", comment = "Recommended retail price" },
    { name = "productRating", type = "int", comment = "Rating from 1 to 5" },
  ]

  column_names = [for column in local.columns : column.name]
}

resource "aws_glue_catalog_database" "this" {
  name        = replace(var.name_prefix, "-", "_") # Athena and Spark want no hyphens
  description = "Tables of ${var.name_prefix}."

  tags = var.tags
}

# The catalog keeps names in lower case, whatever it is given; the Parquet files keep the source's spelling. Athena and
# Spark match the two without regard to case.
resource "aws_glue_catalog_table" "ratings" {
  database_name = aws_glue_catalog_database.this.name
  name          = trimsuffix(local.data_prefix, "/")
  description   = "Ratings with what is known of the customer and the product: input of the training."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL       = "TRUE"
    classification = "parquet"
  }

  dynamic "partition_keys" {
    for_each = [for name in var.partition_by : one([for column in local.columns : column if column.name == name])]

    content {
      name    = lower(partition_keys.value.name)
      type    = partition_keys.value.type
      comment = partition_keys.value.comment
    }
  }

  storage_descriptor {
    location      = local.data_path
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = [for column in local.columns : column if !contains(var.partition_by, column.name)]

      content {
        name    = lower(columns.value.name)
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }

  # Readers find the table before the first run. From then on the job keeps it: every run writes a folder of its own and
  # then leads the table there.
  lifecycle {
    ignore_changes = [parameters, partition_keys, storage_descriptor]
  }
}

# For partitions that something else than the job put into the table's folder, such as a restored backup. It takes the
# folder from the table, so the two cannot differ, and changes no column.
resource "aws_glue_crawler" "ratings" {
  name          = "${local.job_name}-crawler"
  description   = "Finds partitions of ${aws_glue_catalog_table.ratings.name} that are not in the catalog."
  role          = aws_iam_role.crawler.arn
  database_name = aws_glue_catalog_database.this.name

  catalog_target {
    database_name = aws_glue_catalog_database.this.name
    tables        = [aws_glue_catalog_table.ratings.name]
  }

  schema_change_policy {
    update_behavior = "LOG"
    delete_behavior = "LOG"
  }

  configuration = jsonencode({
    Version       = 1
    CrawlerOutput = { Partitions = { AddOrUpdateBehavior = "InheritFromTable" } }
  })

  tags = var.tags

  depends_on = [aws_iam_role_policy.crawler]
}
