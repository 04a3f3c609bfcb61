# The online half of the recommender: two functions that share model, item vectors and database.

locals {
  network = {
    vpc_id                      = module.network.vpc_id
    subnet_ids                  = module.network.private_subnet_ids
    s3_prefix_list_id           = module.network.s3_prefix_list_id
    endpoints_security_group_id = module.network.endpoints_security_group_id
  }

  # What an environment leaves out, the functions have a default for: vectorops/functions/configuration.py.
  recommender_choices = {
    DATABASE_SSLMODE    = var.functions.enforce_database_tls == false ? "disable" : null
    ITEM_TABLE          = var.functions.item_table
    ITEM_LIMIT          = var.functions.item_limit
    EXCLUDE_CART_ITEMS  = var.functions.exclude_cart_items
    CATALOGUE_BUDGET_MB = var.functions.catalogue_budget_mib
    CATALOGUE_MAX_AGE_S = var.functions.catalogue_max_age_seconds
  }

  recommender_function = {
    # One package holds both handlers: they share all but a few kilobytes.
    package_path = "${var.build_dir}/functions/recommender.zip"

    enable_tracing = var.functions.enable_tracing

    environment = merge(
      {
        DATABASE_HOST       = module.vector_db.database_host
        DATABASE_PORT       = tostring(module.vector_db.database_port)
        DATABASE_NAME       = module.vector_db.database_name
        DATABASE_SECRET_ARN = module.vector_db.database_secret_arn
        ML_ARTIFACTS_BUCKET = module.storage.bucket_names["ml_artifacts"]
      },
      { for name, value in local.recommender_choices : name => tostring(value) if value != null },
    )

    client_security_group_ids = [module.vector_db.database_client_security_group_id]
    readable_secrets          = [{ arn = module.vector_db.database_secret_arn, kms_key_arn = var.database.kms_key_arn }]
    readable_objects          = { models = { bucket_arn = module.storage.bucket_arns["ml_artifacts"], prefix = "model/" } }
  }
}

module "streaming" {
  source = "./modules/streaming"

  name_prefix          = local.name_prefix
  network              = local.network
  catalog_database     = module.etl.catalog_database
  query_results_prefix = module.storage.query_results_prefix
  alerts_topic_arn     = module.etl.alerts_topic_arn
  log_retention_days   = var.functions.log_retention_days

  recommendations_bucket = {
    name = module.storage.bucket_names["recommendations"]
    arn  = module.storage.bucket_arns["recommendations"]
  }

  function = merge(local.recommender_function, {
    memory_mb            = var.streaming.memory_mb
    timeout_seconds      = var.streaming.timeout_seconds
    reserved_concurrency = var.streaming.reserved_concurrency
  })

  shard_count                = var.streaming.shard_count
  retention_hours            = var.streaming.retention_hours
  kms_key_arn                = var.streaming.kms_key_arn
  transform_buffer_mb        = var.streaming.transform_buffer_mb
  transform_buffer_seconds   = var.streaming.transform_buffer_seconds
  transform_retries          = var.streaming.transform_retries
  delivery_buffer_mib        = var.streaming.delivery_buffer_mib
  delivery_buffer_seconds    = var.streaming.delivery_buffer_seconds
  compression                = var.streaming.compression
  table_days                 = var.storage.recommendations_retention_days
  query_limit_gib            = var.streaming.query_limit_gib
  iterator_age_alarm_seconds = var.streaming.iterator_age_alarm_seconds
}

module "inference" {
  source = "./modules/inference"

  name_prefix        = local.name_prefix
  network            = local.network
  alerts_topic_arn   = module.etl.alerts_topic_arn
  log_retention_days = var.functions.log_retention_days

  function = merge(local.recommender_function, {
    memory_mb            = var.inference.memory_mb
    timeout_seconds      = var.inference.timeout_seconds
    reserved_concurrency = var.inference.reserved_concurrency
  })
}
