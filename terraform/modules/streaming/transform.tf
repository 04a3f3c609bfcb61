module "transform" {
  source = "../function"

  name_prefix  = var.name_prefix
  name         = "transform"
  description  = "Adds recommendations to events of user activity, for the delivery stream ${local.delivery_name}."
  handler      = "vectorops.functions.transform.handler"
  package_path = var.function.package_path
  architecture = var.function.architecture

  memory_mb            = var.function.memory_mb
  timeout_seconds      = var.function.timeout_seconds
  reserved_concurrency = var.function.reserved_concurrency
  environment          = var.function.environment

  network                   = var.network
  client_security_group_ids = var.function.client_security_group_ids
  readable_secrets          = var.function.readable_secrets
  readable_objects          = var.function.readable_objects

  log_retention_days = var.log_retention_days
  enable_tracing     = var.function.enable_tracing
  alerts_topic_arn   = var.alerts_topic_arn

  tags = var.tags
}

locals {
  # What Firehose calls, and the only thing it may call.
  transform_arn = "${module.transform.function_arn}:$LATEST"
}
