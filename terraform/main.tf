locals {
  name_prefix = "${var.project}-${var.environment}"
}

module "network" {
  source = "./modules/network"

  name_prefix             = local.name_prefix
  cidr_block              = var.network.cidr_block
  availability_zone_count = var.network.availability_zone_count
  interface_endpoints     = var.network.interface_endpoints
}

module "storage" {
  source = "./modules/storage"

  name_prefix                    = local.name_prefix
  force_destroy                  = var.storage.force_destroy
  noncurrent_version_days        = var.storage.noncurrent_version_days
  log_retention_days             = var.storage.log_retention_days
  recommendations_retention_days = var.storage.recommendations_retention_days
}

module "vector_db" {
  source = "./modules/vector-db"

  name_prefix       = local.name_prefix
  vpc_id            = module.network.vpc_id
  subnet_ids        = module.network.private_subnet_ids
  s3_prefix_list_id = module.network.s3_prefix_list_id
  import_bucket_arn = module.storage.bucket_arns["ml_artifacts"]

  allowed_security_groups = var.database.allowed_security_groups
  allowed_cidr_blocks     = var.database.allowed_cidr_blocks

  engine_version              = var.database.engine_version
  allow_major_version_upgrade = var.database.allow_major_version_upgrade
  instance_class              = var.database.instance_class
  allocated_storage_gib       = var.database.allocated_storage_gib
  max_allocated_storage_gib   = var.database.max_allocated_storage_gib
  port                        = var.database.port
  multi_az                    = var.database.multi_az
  index_build_memory_percent  = var.database.index_build_memory_percent
  kms_key_arn                 = var.database.kms_key_arn

  backup_retention_days               = var.database.backup_retention_days
  backup_window                       = var.database.backup_window
  maintenance_window                  = var.database.maintenance_window
  apply_immediately                   = var.database.apply_immediately
  deletion_protection                 = var.database.deletion_protection
  skip_final_snapshot                 = var.database.skip_final_snapshot
  performance_insights_retention_days = var.database.performance_insights_retention_days
}
